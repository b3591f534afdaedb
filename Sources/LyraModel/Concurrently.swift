// Work on plain memory, spread over all processors.
import Foundation

/// Calls `body` with every number below `count`, on all processors at once, and waits. Calls must not touch the same memory.
package func concurrently(_ count: Int, _ body: (Int) -> Void) {
    withoutActuallyEscaping(body) { body in
        nonisolated(unsafe) let body = body
        DispatchQueue.concurrentPerform(iterations: count) { body($0) }
    }
}

/// An array whose elements are made on all processors at once.
package func concurrentMap<Element>(_ count: Int, _ make: (Int) -> Element) -> [Element] {
    [Element](unsafeUninitializedCapacity: count) { buffer, made in
        let base = buffer.baseAddress
        concurrently(count) { number in base.map { ($0 + number).initialize(to: make(number)) } }
        made = count
    }
}
