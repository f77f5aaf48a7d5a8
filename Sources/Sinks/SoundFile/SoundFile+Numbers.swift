import CSndfile

extension SoundFile.Tag {
    /// libsndfile's number for the text.
    var number: Int32 {
        switch self {
        case .title: Int32(SF_STR_TITLE)
        case .date: Int32(SF_STR_DATE)
        case .comment: Int32(SF_STR_COMMENT)
        case .software: Int32(SF_STR_SOFTWARE)
        }
    }
}

extension SoundKind {
    /// libsndfile's numbers for containers.
    private static let containers: [(Container, Int)] = [
        (.wav, SF_FORMAT_WAV), (.aiff, SF_FORMAT_AIFF), (.au, SF_FORMAT_AU), (.caf, SF_FORMAT_CAF),
        (.w64, SF_FORMAT_W64),
        (.rf64, SF_FORMAT_RF64), (.ogg, SF_FORMAT_OGG), (.mpeg, SF_FORMAT_MPEG),
    ]

    /// libsndfile's numbers for encodings.
    private static let encodings: [(Encoding, Int)] = [
        (.pcm16, SF_FORMAT_PCM_16), (.pcm24, SF_FORMAT_PCM_24), (.float, SF_FORMAT_FLOAT), (.ulaw, SF_FORMAT_ULAW),
        (.alaw, SF_FORMAT_ALAW),
        (.opus, SF_FORMAT_OPUS), (.vorbis, SF_FORMAT_VORBIS), (.mp3, SF_FORMAT_MPEG_LAYER_III),
    ]

    /// libsndfile's number for the kind.
    var number: Int32 {
        // Both lists are complete.
        Int32(Self.containers.first { $0.0 == container }!.1 | Self.encodings.first { $0.0 == encoding }!.1)
    }

    /// Creates the kind from libsndfile's number. Returns nil if Callreel does not write that kind.
    init?(number: Int32) {
        guard let container = Self.containers.first(where: { Int32($0.1) == number & Int32(SF_FORMAT_TYPEMASK) })?.0,
            let encoding = Self.encodings.first(where: { Int32($0.1) == number & Int32(SF_FORMAT_SUBMASK) })?.0
        else { return nil }
        self.init(container, encoding)
    }
}
