// Names for contents.
import CFFmpeg

/// A SHA-256 digest of bytes that come piece by piece.
package struct SHA256: ~Copyable {
    private let state = UnsafeMutableRawPointer.allocate(byteCount: cff_sha256_size(), alignment: 16)

    package init() { cff_sha256_begin(state) }

    deinit { state.deallocate() }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) { cff_sha256_update(state, bytes.baseAddress, bytes.count) }

    package mutating func update(_ text: String) { Array(text.utf8).withUnsafeBytes { update($0) } }

    package mutating func update(_ numbers: [Float]) { numbers.withUnsafeBytes { update($0) } }

    /// The digest, 64 hexadecimal digits.
    package consuming func hex() -> String {
        let bytes = [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            cff_sha256_finish(state, buffer.baseAddress)
            count = 32
        }
        return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
