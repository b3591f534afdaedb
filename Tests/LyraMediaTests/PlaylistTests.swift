// Files that name other files or addresses: none of those may be opened.
import Foundation
import LyraMedia
import Testing

struct PlaylistTests {
    /// A local server that only listens; whether somebody came can be asked.
    private final class Trap {
        let descriptor: Int32
        let port: Int

        init() throws {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            self.descriptor = descriptor
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let bound = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    bind(descriptor, pointer, length) == 0 && listen(descriptor, 5) == 0
                        && getsockname(descriptor, pointer, &length) == 0
                }
            }
            port = Int(UInt16(bigEndian: address.sin_port))
            try #require(bound)
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        }

        deinit { close(descriptor) }

        var wasVisited: Bool {
            let visitor = accept(descriptor, nil, nil)
            if visitor >= 0 { close(visitor) }
            return visitor >= 0
        }
    }

    @Test func playlistsOpenNothing() throws {
        let folder = try TemporaryFolder(), trap = try Trap()
        let sound = try folder.write("sound.wav", wav(sine(440, rate: 16_000, seconds: 1)))
        let address = "http://127.0.0.1:\(trap.port)/a.ts"
        for target in [address, sound, "file://\(sound)", "sound.wav"] {
            let lists = [
                "a.m3u8": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n\(target)\n#EXT-X-ENDLIST\n",
                "a.ffconcat": "ffconcat version 1.0\nfile '\(target)'\n",
                "a.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio \(trap.port) RTP/AVP 0\n",
                "a.mpd": "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\"><Period><AdaptationSet "
                    + "mimeType=\"audio/mp4\"><Representation id=\"0\"><BaseURL>\(target)</BaseURL></Representation></AdaptationSet></Period></MPD>",
                "a.asx": "<ASX version=\"3.0\"><ENTRY><REF HREF=\"\(target)\"/></ENTRY></ASX>",
                "a.svg": "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"><image href=\"\(target)\"/></svg>",
            ]
            for (name, content) in lists {
                let path = try folder.write(name, Array(content.utf8))
                for source in [MediaSource.file(path), .bytes(Array(content.utf8))] {
                    #expect(throws: MediaError.self, "\(name)") { try AudioReader.readAll(source) }
                    #expect(throws: MediaError.self, "\(name)") { try VideoReader(source) }
                    #expect(throws: MediaError.self, "\(name)") { try ImageReader.read(source) }
                }
            }
        }
        #expect(!trap.wasVisited)
    }

    @Test func pathsAreNoAddresses() throws {
        let trap = try Trap(), folder = try TemporaryFolder()
        let sound = try folder.write("sound.wav", wav(sine(440, rate: 16_000, seconds: 1)))
        for path in ["http://127.0.0.1:\(trap.port)/a.wav", "file:\(sound)", "concat:\(sound)|\(sound)", "data:audio/wav;base64,AAAA"] {
            #expect(throws: MediaError.notFound(path: path)) { try AudioReader(.file(path)) }
        }
        #expect(!trap.wasVisited)
    }
}
