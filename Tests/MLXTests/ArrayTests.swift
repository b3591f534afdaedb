// Making arrays and reading them back.
import Foundation
import MLX
import Testing

@Suite struct ArrayTests {
    @Test func keepsShapesAndTypes() {
        let a = MLXArray([1, 2, 3, 4, 5, 6] as [Float], [2, 3])
        #expect(a.shape == [2, 3])
        #expect(a.shape2 == (2, 3))
        #expect(a.reshaped(1, 2, 3).shape3 == (1, 2, 3))
        #expect(a.reshaped(1, 2, 3, 1).shape4 == (1, 2, 3, 1))
        #expect((a.ndim, a.size, a.count, a.nbytes, a.itemSize) == (2, 6, 2, 24, 4))
        #expect((a.dim(0), a.dim(-1)) == (2, 3))
        #expect(a.dtype == .float32)
        #expect(a.asArray(Float.self) == [1, 2, 3, 4, 5, 6])
    }

    @Test func takesTheTypesThatSwiftPeopleWrite() {
        #expect(MLXArray(3).dtype == .int32)
        #expect(MLXArray(3.5).dtype == .float32)
        #expect(MLXArray(true).dtype == .bool)
        #expect(MLXArray(Float16(2)).dtype == .float16)
        #expect(MLXArray(UInt8(200)).item(Int.self) == 200)
        #expect(MLXArray(7, dtype: .bfloat16).dtype == .bfloat16)
        #expect(MLXArray(2.75, dtype: .int32).item(Int.self) == 2)
        #expect(MLXArray([1, 2]).dtype == .int32)
        #expect(MLXArray([1.5, 2]).dtype == .float32)
        #expect(MLXArray(converting: [1.5, 2]).dtype == .float32)
        #expect(MLXArray([true, false]).asArray(Bool.self) == [true, false])
        #expect(MLXArray([UInt8(255), 1]).dtype == .uint8)
        #expect(MLXArray([Int64.max]).item(Int.self) == .max)
        #expect(MLXArray(int64: [1 << 40]).item(Int.self) == 1 << 40)
        #expect(MLXArray(float64: [0.1]).item(Double.self) == 0.1)
        #expect(MLXArray(2..<5).asArray(Int32.self) == [2, 3, 4])
        #expect(MLXArray([Float]()).shape == [0])
        #expect(MLXArray([Float]()).asArray(Float.self) == [])
    }

    @Test(arguments: DType.allCases.filter { $0 != .complex64 })
    func convertsBetweenAllTypes(dtype: DType) {
        let a = MLXArray([0, 1, 1, 0]).asType(dtype)
        #expect(a.dtype == dtype)
        #expect(a.nbytes == 4 * dtype.size)
        #expect(a.asArray(Float.self) == [0, 1, 1, 0])
        #expect(a.asArray(Int.self) == [0, 1, 1, 0])
        #expect(a.asArray(Bool.self) == [false, true, true, false])
        #expect(a.asData().count == a.nbytes)
    }

    @Test func roundsToBFloat16ToNearestEven() {
        // bfloat16 has 8 bits of precision: 1 + 2^-8 is halfway and goes to even.
        let a = MLXArray([1 + 1.0 / 256, 1 + 3.0 / 256, 3.14159]).asType(.bfloat16)
        #expect(a.asArray(Float.self) == [1, 1 + 4.0 / 256, 3.140625])
        #expect(a.view(dtype: .uint16).asArray(UInt16.self) == [0x3F80, 0x3F82, 0x4049])
    }

    @Test func readsElementsOfViewsInRowMajorOrder() {
        let a = counting(2, 3)
        #expect(a.T.asArray(Int.self) == [0, 3, 1, 4, 2, 5])
        #expect(a.T[1].asArray(Int.self) == [1, 4])
        #expect(MLXArray(5).broadcast(to: [2, 2]).asArray(Int.self) == [5, 5, 5, 5])
        #expect(a[1, 2].item() as Float == 5)
    }

    @Test func showsItself() {
        #expect("\(MLXArray([1, 2], [1, 2]))" == "array([[1, 2]], dtype=int32)")
        #expect("\(MLXArray(2.5))" == "array(2.5, dtype=float32)")
    }

    @Test func makesArraysFromRules() {
        #expect(zeros([2]).asArray(Float.self) == [0, 0])
        #expect(MLXArray.zeros([2], type: Int32.self).dtype == .int32)
        #expect(ones([1, 2], dtype: .bfloat16).dtype == .bfloat16)
        #expect(ones(like: counting(2)).asArray(Int.self) == [1, 1])
        #expect(zeros(like: counting(2)).dtype == .int32)
        #expect(full([2, 2], values: 2.5).asArray(Float.self) == [2.5, 2.5, 2.5, 2.5])
        #expect(full([2, 2], values: MLXArray([1, 2])).asArray(Int.self) == [1, 2, 1, 2])
        #expect(full([1], values: 3, dtype: .float16).dtype == .float16)
        #expect(arange(4).asArray(Int.self) == [0, 1, 2, 3])
        #expect(arange(5, 0, step: -2).asArray(Int.self) == [5, 3, 1])
        #expect(MLXArray.arange(0.0, 1.0, step: 0.25).asArray(Float.self) == [0, 0.25, 0.5, 0.75])
        #expect(linspace(0, 1, count: 5).asArray(Float.self) == [0, 0.25, 0.5, 0.75, 1])
        #expect(eye(2).asArray(Float.self) == [1, 0, 0, 1])
        #expect(eye(2, m: 3, k: 1).asArray(Float.self) == [0, 1, 0, 0, 0, 1])
        #expect(MLXArray.identity(1).item(Float.self) == 1)
    }

    @Test func readsBytesFromOutside() throws {
        let data = Data([1, 0, 0, 0, 2, 0, 0, 0])
        #expect(try MLXArray(data, [2], dtype: .int32).asArray(Int.self) == [1, 2])
        #expect(try MLXArray(data, [2, 4], dtype: .uint8).asArray(Int.self) == [1, 0, 0, 0, 2, 0, 0, 0])
        #expect(try MLXArray(Data(), [0, 4], dtype: .uint8).shape == [0, 4])
        let error = #expect(throws: MLXError.self) { try MLXArray(data, [3], dtype: .int32) }
        #expect(error?.localizedDescription == "8 bytes cannot be an array of shape [3] and type int32")
        #expect(throws: MLXError.self) { try MLXArray(data, [-2, -1], dtype: .int32) }
    }

    @Test func usesMemoryInPlaceAndReleasesItOnce() {
        final class Count { var value = 0 }
        let released = Count()
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 64 + 16, alignment: 64)
        let elements = (memory + 64).bindMemory(to: Float.self, capacity: 4)
        for i in 0..<4 { elements[i] = Float(i) }
        do {
            let a = MLXArray(wrapping: memory + 64, [2, 2], dtype: .float32) {
                released.value += 1
                memory.deallocate()
            }
            #expect(a.withUnsafeBytes { $0.baseAddress } == UnsafeRawPointer(elements))
            let part = a[1]
            #expect((a + 1).asArray(Float.self) == [1, 2, 3, 4])
            #expect(part.asArray(Float.self) == [2, 3])
            a[0] = MLXArray(9.0)
            #expect(a.asArray(Float.self) == [9, 9, 2, 3])
            #expect(elements[0] == 0, "memory of others is never written to")
        }
        #expect(released.value == 1)
    }

    @Test func mistakesStopTheProgramWithAMessage() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = MLXArray([1, 2, 3]) + MLXArray([1, 2])
        }
        let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(message.contains("broadcast"), "\(message)")
        await #expect(processExitsWith: .failure) { _ = MLXArray([1, 2, 3])[3] }
        await #expect(processExitsWith: .failure) { _ = MLXArray([1, 2, 3]).item(Int.self) }
    }
}
