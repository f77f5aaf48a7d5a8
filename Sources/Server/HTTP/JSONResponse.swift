import CallreelCore
import Hummingbird
import NIOCore

/// Returns a JSON response.
func json(_ value: JSONValue) throws -> Response {
    Response(
        status: .ok, headers: [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"],
        body: ResponseBody(byteBuffer: ByteBuffer(string: value.json())))
}
