// One tensor of a PyTorch file: a view, with strides, of a block of bytes in the archive.
import Foundation
import MLX

/// A tensor in a PyTorch file, checked to lie within its storage. Its bytes are read when asked for.
public struct TorchTensor: Sendable {
    public let name: String
    public let dtype: DType
    public let shape: [Int]

    /// In elements.
    private let strides: [Int]
    private let offset: Int
    private let archive: TorchZip
    private let entry: String

    init(_ tensor: PickleTensor, name: String, archive: TorchZip, entry: String) throws(TorchArchiveError) {
        func fail(_ reason: String) -> TorchArchiveError { .badTensor(path: archive.path, tensor: name, reason: reason) }
        let storage = tensor.storage
        guard let stored = archive.entries[entry] else { throw fail("its storage \(storage.key.prefix(50)) is not in the file") }
        guard storage.count <= stored.range.count / storage.dtype.size else {
            throw fail(
                "its storage has \(stored.range.count) bytes, too few for \(storage.count) elements of \(storage.dtype)")
        }
        let (shape, strides) = (tensor.shape, tensor.strides)
        guard shape.count == strides.count else { throw fail("\(shape.count) dimensions but \(strides.count) strides") }
        guard shape.allSatisfy({ 0...Int(Int32.max) ~= $0 }) else { throw fail("impossible shape \(shape)") }
        guard strides.allSatisfy({ $0 >= 0 }), tensor.offset >= 0 else {
            throw fail("a negative stride or offset (strides \(strides), offset \(tensor.offset))")
        }
        var elements = 1
        var last = tensor.offset
        for (dimension, stride) in zip(shape, strides) {
            let (product, tooMany) = elements.multipliedReportingOverflow(by: dimension)
            let (reach, tooFar) = max(dimension - 1, 0).multipliedReportingOverflow(by: stride)
            let (end, beyond) = last.addingReportingOverflow(reach)
            guard !tooMany, !tooFar, !beyond else { throw fail("shape \(shape) with strides \(strides) is too large to count") }
            (elements, last) = (product, end)
        }
        if elements > 0 {
            guard last < storage.count else {
                throw fail("it reaches element \(last) of a storage of \(storage.count)")
            }
            // A stride of zero repeats elements; a few bytes could ask for any amount of memory.
            guard elements <= storage.count else {
                throw fail("it repeats the elements of its storage; call contiguous() before saving it")
            }
        }
        self.name = name
        dtype = storage.dtype
        self.shape = shape
        self.strides = strides
        offset = tensor.offset
        self.archive = archive
        self.entry = entry
    }

    /// The elements in row-major order.
    /// - Throws: ``TorchArchiveError``.
    public func bytes() throws -> Data { try withBytes { Data($0) } }

    /// The tensor as an array of its own memory.
    /// - Throws: ``TorchArchiveError``, ``MLXError``.
    public func array() throws -> MLXArray { try withBytes { try MLXArray(bytes: $0, shape, dtype: dtype) } }

    private func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        try archive.withBytes(of: entry) { storage in
            let count = shape.reduce(1, *)
            if count == 0 { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
            if isContiguous {
                let place = (offset * dtype.size)..<((offset + count) * dtype.size)
                return try body(UnsafeRawBufferPointer(rebasing: storage[place]))
            }
            return try gathered(storage, count).withUnsafeBytes(body)
        }
    }

    private var isContiguous: Bool {
        var expected = 1
        for (dimension, stride) in zip(shape, strides).reversed() where dimension != 1 {
            if stride != expected { return false }
            expected *= dimension
        }
        return true
    }

    /// Collects elements that do not lie one after another, such as those of a transposed matrix.
    private func gathered(_ storage: UnsafeRawBufferPointer, _ count: Int) -> [UInt8] {
        let size = dtype.size
        return [UInt8](unsafeUninitializedCapacity: count * size) { target, filled in
            var index = [Int](repeating: 0, count: shape.count)
            var place = offset
            for element in 0..<count {
                for byte in 0..<size { target[element * size + byte] = storage[place * size + byte] }
                // The next index, last dimension fastest. A dimension of one may have any stride, so these wrap around.
                var axis = shape.count - 1
                while axis >= 0 {
                    index[axis] += 1
                    place &+= strides[axis]
                    if index[axis] < shape[axis] { break }
                    place &-= index[axis] &* strides[axis]
                    index[axis] = 0
                    axis -= 1
                }
            }
            filled = count * size
        }
    }
}
