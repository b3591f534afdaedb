// Places: who gets the next one, who has to wait, who is sent away.
import Foundation
import HTTPTypes
@testable import LyraServer
import Synchronization
import Testing

@Suite struct SchedulerTests {
    private final class Order: Sendable {
        private let names = Mutex<[String]>([])
        func add(_ name: String) { names.withLock { $0.append(name) } }
        var all: [String] { names.withLock { $0 } }
    }

    @Test func clientsTakeTurns() async throws {
        let scheduler = Scheduler(places: 1, queueLimit: 16, metrics: Metrics()), order = Order()
        let (gate, open) = AsyncStream<Void>.makeStream()
        let first = Task { try await scheduler.run(client: "a", limit: .seconds(20)) { for await _ in gate { break } } }
        #expect(await eventually { await scheduler.runningCount == 1 })
        var waiting: [Task<Void, any Error>] = []
        for (index, client) in ["a", "a", "a", "b", "c", "b"].enumerated() {
            waiting.append(Task { try await scheduler.run(client: client, limit: .seconds(20)) { order.add(client) } })
            #expect(await eventually { await scheduler.queueLength == index + 1 })
        }
        open.yield()
        try await first.value
        for task in waiting { try await task.value }
        #expect(order.all == ["b", "c", "a", "b", "a", "a"])
    }

    @Test func tooManyAreSentAwayAndThoseWhoLeaveAreForgotten() async throws {
        let scheduler = Scheduler(places: 1, queueLimit: 1, metrics: Metrics())
        let running = Task { try await scheduler.run(client: "a", limit: .seconds(20)) { try await Task.sleep(for: .seconds(20)) } }
        #expect(await eventually { await scheduler.runningCount == 1 })
        let waiting = Task { try await scheduler.run(client: "b", limit: .seconds(20)) {} }
        #expect(await eventually { await scheduler.queueLength == 1 })
        do {
            try await scheduler.run(client: "c", limit: .seconds(1)) {}
            Issue.record("was let in")
        } catch let error as APIError {
            #expect(error.status == .tooManyRequests && (error.retryAfter ?? 0) >= 1)
        }
        waiting.cancel()
        #expect(await eventually(within: .seconds(1)) { await scheduler.queueLength == 0 })
        running.cancel()
        #expect(await eventually(within: .seconds(1)) { await scheduler.runningCount == 0 })
    }

    @Test func timeIsLimitedAndStoppingTellsAll() async throws {
        let scheduler = Scheduler(places: 1, queueLimit: 4, metrics: Metrics())
        await #expect(throws: APIError.timeout) {
            try await scheduler.run(client: "a", limit: .milliseconds(50)) { try await Task.sleep(for: .seconds(20)) }
        }
        let running = Task { try await scheduler.run(client: "a", limit: .seconds(20)) { try await Task.sleep(for: .seconds(20)) } }
        #expect(await eventually { await scheduler.runningCount == 1 })
        let waiting = Task { try await scheduler.run(client: "a", limit: .seconds(20)) {} }
        #expect(await eventually { await scheduler.queueLength == 1 })
        await scheduler.stop()
        await #expect(throws: APIError.shuttingDown) { try await waiting.value }
        await #expect(throws: APIError.shuttingDown) { try await scheduler.run(client: "b", limit: .seconds(1)) {} }
        await scheduler.cancelAll()
        await #expect(throws: APIError.shuttingDown) { try await running.value }
    }
}
