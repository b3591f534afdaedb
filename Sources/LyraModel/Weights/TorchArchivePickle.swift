// Reads the pickle inside a PyTorch file as data. A pickle is a program for a stack machine that can call any function;
// this runs the few operations that build dictionaries, lists and tensors, knows two functions and the storage types
// by name, and refuses everything else. Time and memory are bounded by the pickle's size.
import MLX

struct TorchPickle {
    struct Failure: Error {
        enum Kind { case forbiddenGlobal, forbiddenOperation, malformed }
        let kind: Kind
        let what: String
        let byte: Int
    }

    static let sizeLimit = 64 << 20
    private static let operationLimit = 4_000_000
    private static let stackLimit = 1_000_000
    private static let memoLimit = 1_000_000
    /// Longer dictionary keys are refused: a key is hashed every time it is used, however few bytes using it takes.
    private static let keyLimit = 1024

    private(set) var tuples: [[PickleValue]] = []
    private(set) var lists: [[PickleValue]] = []
    /// Pairs in order of first setting.
    private(set) var dictionaries: [[(key: String, value: PickleValue)]] = []
    private var places: [[String: Int]] = []
    private(set) var result = PickleValue.none

    /// The pickle, while it is being read.
    private var data: UnsafeRawBufferPointer
    private var position = 0
    private var operation = 0  // where the current operation begins
    private var stack: [PickleValue] = []
    private var marks: [Int] = []
    private var memo: [Int: PickleValue] = [:]

    /// Reads a whole pickle; `data` is used during the call only.
    init(_ data: UnsafeRawBufferPointer) throws(Failure) {
        self.data = data
        defer { self.data = UnsafeRawBufferPointer(start: nil, count: 0) }
        guard data.count <= Self.sizeLimit else { throw fail("\(data.count) bytes of pickle, more than any checkpoint needs") }
        for _ in 0..<Self.operationLimit {
            operation = position
            if try step() { return }
            guard stack.count <= Self.stackLimit, memo.count <= Self.memoLimit else { throw fail("too much on the stack") }
        }
        throw fail("more than \(Self.operationLimit) operations")
    }

    // MARK: Operations

    /// Runs one operation; true at the end.
    private mutating func step() throws(Failure) -> Bool {
        let code = try byte()
        switch Unicode.Scalar(code) {
        case "\u{80}":
            let version = try byte()
            guard version <= 5 else { throw fail("pickle protocol \(version)") }
        case "\u{95}": _ = try bytes(8)  // frame length
        case ".":
            result = try pop()
            return true
        case "(": marks.append(stack.count)
        case "0": _ = try pop()
        case "1": _ = try popMark()
        case "2":
            let top = try pop()
            stack += [top, top]

        case "N": stack.append(.none)
        case "\u{88}": stack.append(.bool(true))
        case "\u{89}": stack.append(.bool(false))
        case "K": stack.append(.int(Int(try byte())))
        case "M": stack.append(.int(try little(2)))
        case "J": stack.append(.int(Int(Int32(truncatingIfNeeded: try little(4)))))
        case "\u{8A}": try long(count: Int(byte()))
        case "\u{8B}": try long(count: little(4))
        case "G": stack.append(.float(Double(bitPattern: UInt64(bitPattern: Int64(try little(8))).byteSwapped)))
        case "X": stack.append(.string(try text(count: little(4))))
        case "\u{8C}": stack.append(.string(try text(count: Int(byte()))))
        case "B":
            _ = try bytes(little(4))
            stack.append(.bytes)
        case "C":
            _ = try bytes(Int(byte()))
            stack.append(.bytes)

        case ")": makeTuple([])
        case "\u{85}": makeTuple(try pop(1))
        case "\u{86}": makeTuple(try pop(2))
        case "\u{87}": makeTuple(try pop(3))
        case "t": makeTuple(try popMark())
        case "]": makeList([])
        case "l": makeList(try popMark())
        case "}": makeDictionary()
        case "d":
            let items = try popMark()
            makeDictionary()
            try set(items)
        case "a": try append(pop(1))
        case "e": try append(popMark())
        case "s": try set(pop(2))
        case "u": try set(popMark())

        case "q": try remember(Int(byte()))
        case "r": try remember(little(4))
        case "\u{94}": try remember(memo.count)
        case "h": try recall(Int(byte()))
        case "j": try recall(little(4))

        case "c": try global(module: line(), name: line())
        case "\u{93}":
            guard case .string(let name) = try pop(), case .string(let module) = try pop() else {
                throw fail("a global without a name")
            }
            try global(module: module, name: name)
        case "Q": try loadStorage()
        case "R": try call()
        case "b": try build()
        default: throw Failure(kind: .forbiddenOperation, what: PickleValue.name(ofOperation: code), byte: operation)
        }
        return false
    }

    private mutating func global(module: String, name: String) throws(Failure) {
        guard let global = PickleGlobal(module: module, name: name) else {
            throw Failure(kind: .forbiddenGlobal, what: "\(module.prefix(100)).\(name.prefix(100))", byte: operation)
        }
        stack.append(.global(global))
    }

    /// A persistent id: ("storage", type, key, device, count).
    private mutating func loadStorage() throws(Failure) {
        guard case .tuple(let index) = try pop(), tuples[index].count == 5,
              case .string("storage") = tuples[index][0], case .global(.storage(let dtype)) = tuples[index][1],
              case .string(let key) = tuples[index][2], case .int(let count) = tuples[index][4], count >= 0
        else { throw fail("a persistent id that is not a storage") }
        stack.append(.storage(PickleStorage(key: key, dtype: dtype, count: count)))
    }

    private mutating func call() throws(Failure) {
        guard case .tuple(let index) = try pop() else { throw fail("a call without arguments") }
        let arguments = tuples[index]
        switch try pop() {
        case .global(.orderedDictionary):
            makeDictionary()
            // Python writes it empty and sets the items afterwards.
            guard arguments.isEmpty else { throw fail("an OrderedDict with arguments") }
        case .global(.rebuildTensor):
            guard arguments.count >= 4, case .storage(let storage) = arguments[0], case .int(let offset) = arguments[1],
                  let shape = integers(arguments[2]), let strides = integers(arguments[3])
            else { throw fail("a tensor with wrong arguments") }
            stack.append(.tensor(PickleTensor(storage: storage, offset: offset, shape: shape, strides: strides)))
        default: throw Failure(kind: .forbiddenOperation, what: "REDUCE of something that is not a function", byte: operation)
        }
    }

    /// Python attributes on an OrderedDict (state dictionaries carry version numbers so) are passed over.
    private mutating func build() throws(Failure) {
        let state = try pop()
        guard case .dictionary = state, case .dictionary? = stack.last else {
            throw Failure(kind: .forbiddenOperation, what: "BUILD", byte: operation)
        }
    }

    // MARK: Containers

    private func sequence(_ value: PickleValue) -> [PickleValue]? {
        switch value {
        case .tuple(let index): tuples[index]
        case .list(let index): lists[index]
        default: nil
        }
    }

    private func integers(_ value: PickleValue) -> [Int]? {
        guard let items = sequence(value), items.count <= 32 else { return nil }
        let numbers = items.compactMap { if case .int(let number) = $0 { number } else { nil } }
        return numbers.count == items.count ? numbers : nil
    }

    private mutating func makeTuple(_ items: [PickleValue]) {
        tuples.append(items)
        stack.append(.tuple(tuples.count - 1))
    }

    private mutating func makeList(_ items: [PickleValue]) {
        lists.append(items)
        stack.append(.list(lists.count - 1))
    }

    private mutating func makeDictionary() {
        dictionaries.append([])
        places.append([:])
        stack.append(.dictionary(dictionaries.count - 1))
    }

    private mutating func append(_ items: [PickleValue]) throws(Failure) {
        guard case .list(let index)? = stack.last else { throw fail("appending to something that is not a list") }
        lists[index] += items
    }

    private mutating func set(_ items: [PickleValue]) throws(Failure) {
        guard case .dictionary(let index)? = stack.last, items.count % 2 == 0 else {
            throw fail("setting items of something that is not a dictionary")
        }
        for place in stride(from: 0, to: items.count, by: 2) {
            let key: String
            switch items[place] {
            case .string(let text): key = text
            case .int(let number): key = String(number)
            default: throw fail("a dictionary key that is neither text nor a number")
            }
            guard key.utf8.count <= Self.keyLimit else { throw fail("a dictionary key of \(key.utf8.count) bytes") }
            if let known = places[index][key] {
                dictionaries[index][known].value = items[place + 1]
            } else {
                places[index][key] = dictionaries[index].count
                dictionaries[index].append((key, items[place + 1]))
            }
        }
    }

    // MARK: Stack and memo

    private func fail(_ reason: String) -> Failure { Failure(kind: .malformed, what: reason, byte: operation) }

    private mutating func pop() throws(Failure) -> PickleValue {
        guard stack.count > marks.last ?? 0, let top = stack.popLast() else { throw fail("an empty stack") }
        return top
    }

    private mutating func pop(_ count: Int) throws(Failure) -> [PickleValue] {
        guard stack.count - count >= marks.last ?? 0 else { throw fail("an empty stack") }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popMark() throws(Failure) -> [PickleValue] {
        guard let mark = marks.popLast() else { throw fail("no mark on the stack") }
        defer { stack.removeLast(stack.count - mark) }
        return Array(stack[mark...])
    }

    private mutating func remember(_ index: Int) throws(Failure) {
        guard stack.count > marks.last ?? 0, let top = stack.last else { throw fail("an empty stack") }
        memo[index] = top
    }

    private mutating func recall(_ index: Int) throws(Failure) {
        guard let value = memo[index] else { throw fail("memo \(index), which was never set") }
        stack.append(value)
    }

    // MARK: Bytes

    private mutating func byte() throws(Failure) -> UInt8 {
        guard position < data.count else { throw fail("the pickle is cut off") }
        defer { position += 1 }
        return data[position]
    }

    private mutating func bytes(_ count: Int) throws(Failure) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= data.count - position else { throw fail("the pickle is cut off") }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: data[position..<position + count])
    }

    /// A little-endian number without sign (8 bytes: with).
    private mutating func little(_ count: Int) throws(Failure) -> Int {
        let value = try bytes(count).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Int(truncatingIfNeeded: value)
    }

    private mutating func long(count: Int) throws(Failure) {
        guard count <= 8 else { throw fail("a number of \(count) bytes") }
        let value = count == 0 ? 0 : try little(count)
        let unused = 64 - 8 * max(count, 1)
        stack.append(.int((value << unused) >> unused))
    }

    private mutating func text(count: Int) throws(Failure) -> String {
        guard let text = String(validating: try bytes(count), as: UTF8.self) else { throw fail("text that is not UTF-8") }
        return text
    }

    private mutating func line() throws(Failure) -> String {
        guard let end = data[position...].prefix(1024).firstIndex(of: UInt8(ascii: "\n")) else {
            throw fail("a name without end")
        }
        let text = String(decoding: data[position..<end], as: UTF8.self)
        position = end + 1
        return text
    }
}
