import Testing

@testable import CallreelCore

@Suite struct MountTableTests {
    private let table = MountTable(
        """
        21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
        22 21 0:20 / /proc rw - proc proc rw
        30 21 0:40 / /srv rw shared:5 master:2 - nfs4 nas:/calls rw
        31 30 8:1 / /srv/calls\\040of\\0112026 rw - xfs /dev/sda1 rw
        32 21 0:41 / /mnt rw - xfs /dev/sdb1 rw
        33 32 0:42 / /mnt rw - fuse.sshfs host:/ rw
        torn 12
        """)

    @Test func `a disk is known by the nearest mount point above the path`() {
        #expect(table.isOfOneKernel("/var/recordings"))
        #expect(table.isOfOneKernel("/"))
        #expect(table.isOfOneKernel("/srvother"), "a name that begins alike is another")
        #expect(!table.isOfOneKernel("/srv"))
        #expect(!table.isOfOneKernel("/srv/x"))
        #expect(!table.isOfOneKernel("/proc/self"))
    }

    @Test func `spaces in names are read, and what is mounted over another counts`() {
        #expect(table.isOfOneKernel("/srv/calls of\t2026/.partial"))
        #expect(!table.isOfOneKernel("/mnt/x"), "the share hides the disk")
    }

    @Test func `what is not known is no disk of this kernel alone`() {
        #expect(!MountTable("").isOfOneKernel("/x"))
        #expect(!MountTable.isOfOneKernel("/no/such/place"))
        #expect(!MountTable.isOfOneKernel("/proc"))
    }
}
