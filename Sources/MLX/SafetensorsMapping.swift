// A file's bytes in memory, and arrays that use them without copying.
import CMLX
import Foundation

/// A whole file, mapped privately: writing to the memory (which MLX may do to an array nobody else holds) never reaches
/// the file. Unmapped when the last user is gone.
final class FileMapping: @unchecked Sendable {  // the pointer is set once; arrays that share its memory have rules of their own
    private let base: UnsafeMutableRawPointer?
    private let count: Int

    /// - Throws: ``SafetensorsError/unreadable(path:reason:)``.
    init(path: String) throws {
        func fail() -> SafetensorsError { .unreadable(path: path, reason: String(cString: strerror(errno))) }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw fail() }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw fail() }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SafetensorsError.unreadable(path: path, reason: "not a regular file")
        }
        count = Int(status.st_size)
        guard count > 0 else { base = nil; return }
        // NORESERVE: a private writable mapping would otherwise count in full against memory, however little is written.
        let mapped = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0)
        guard let mapped, mapped != MAP_FAILED else { throw fail() }
        base = mapped
    }

    deinit {
        if let base { munmap(base, count) }
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    func prefetch() {
        if let base { _ = posix_madvise(base, count, POSIX_MADV_WILLNEED) }
    }

    /// Lets go of the memory behind whole pages of a range; it is read from the file again if it is used again.
    func discard(_ range: Range<Int>) {
        let page = Int(getpagesize())
        let start = (range.lowerBound + page - 1) / page * page, end = range.upperBound / page * page
        if let base, start < end { madvise(base + start, end - start, MADV_DONTNEED) }
    }

    /// An array of the elements at `offset`, in place where alignment allows. The array keeps the mapping alive.
    ///
    /// The caller has checked that the elements lie within the file and that dimensions fit 32 bits; this checks again
    /// and traps, since what follows would be memory corruption.
    func array(at offset: Int, shape: [Int], dtype: DType) throws -> MLXArray {
        let size = shape.reduce(dtype.size, *)
        precondition(offset >= 0 && size >= 0 && offset <= count - size, "array outside of its file")
        let dimensions = shape.map(Int32.init)
        let data = base.map { $0 + offset }
        // The array library wants 8 readable bytes before the data, and the data aligned.
        if let data, size > 0, offset >= 8, UInt(bitPattern: data) % UInt(dtype.size) == 0 {
            let owner = Unmanaged.passRetained(self).toOpaque()
            return try MLXArray.throwing {
                cmlx_array_wrap(data, dimensions, dimensions.count, dtype.c, { context in
                    if let context { Unmanaged<FileMapping>.fromOpaque(context).release() }
                }, owner, $0)
            }
        }
        return try withExtendedLifetime(self) {
            try MLXArray.throwing { cmlx_array_from_data(data, dimensions, dimensions.count, dtype.c, $0) }
        }
    }
}
