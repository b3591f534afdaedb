// What lets C call a Swift function of arrays: lists of arrays, and a box that a C pointer can stand for.
import CMLX

/// Owns a list of arrays on the C side.
final class ArrayList {
    let list: cmlx_list

    init(_ arrays: [MLXArray] = []) {
        var out: cmlx_list?
        guard cmlx_list_new(&out) == 0, let out else { trap("MLX: \(MLXError.last)") }
        list = out
        ArrayList.append(arrays, to: out)
    }

    deinit { cmlx_list_free(list) }

    var arrays: [MLXArray] { ArrayList.arrays(of: list) }

    static func arrays(of list: cmlx_list?) -> [MLXArray] {
        guard let list else { return [] }
        return (0..<cmlx_list_count(list)).map { index in MLXArray.make { cmlx_list_get(list, index, $0) } }
    }

    static func append(_ arrays: [MLXArray], to list: cmlx_list?) {
        guard let list else { return }
        for array in arrays {
            require(cmlx_list_append(list, array.handle) == 0, "MLX: \(MLXError.last)")
        }
    }
}

/// A function of arrays, and the error that it threw when C called it.
final class FunctionBox {
    private let body: ([MLXArray]) throws -> [MLXArray]
    private var error: (any Error)?

    init(_ body: @escaping ([MLXArray]) throws -> [MLXArray]) { self.body = body }

    /// What C calls, with the box as context.
    static let trampoline: cmlx_function = { context, inputs, outputs in
        guard let context else { return 1 }
        let box = Unmanaged<FunctionBox>.fromOpaque(context).takeUnretainedValue()
        do {
            ArrayList.append(try box.body(ArrayList.arrays(of: inputs)), to: outputs)
            return 0
        } catch {
            box.error = error
            cmlx_report("\(error)")
            return 1
        }
    }

    /// Throws unless a C call that had the function called returned success: what the function threw, if it did.
    func check(_ status: Int32) throws {
        defer { error = nil }
        if status != 0 { throw error ?? MLXError.last }
    }
}
