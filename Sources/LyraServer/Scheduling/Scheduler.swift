// Whose reply is made next: so many at once, so many waiting, and nobody gets a second one before others had their first.
import Foundation

/// Hands out the places in which replies are made.
actor Scheduler {
    private struct Waiter {
        let id: UUID
        let client: String
        let continuation: CheckedContinuation<Void, any Error>
    }

    private let places: Int
    private let queueLimit: Int
    private let metrics: Metrics
    private var waiting: [Waiter] = []
    /// Replies being made, by client.
    private var running: [String: Int] = [:]
    private var cancels: [UUID: @Sendable () -> Void] = [:]
    /// When a client last got a place, as a count of places given.
    private var lastServed: [String: Int] = [:]
    private var served = 0
    /// How long a reply takes, averaged; for Retry-After.
    private var typicalSeconds = 2.0
    private(set) var isStopping = false

    init(places: Int, queueLimit: Int, metrics: Metrics) {
        (self.places, self.queueLimit, self.metrics) = (max(1, places), queueLimit, metrics)
    }

    var runningCount: Int { running.values.reduce(0, +) }
    var queueLength: Int { waiting.count }
    var isFull: Bool { waiting.count >= queueLimit }

    /// Runs `body` in a place, once there is one.
    /// - Throws: `APIError` 429 when too many wait, 503 when the server stops; what `body` throws.
    nonisolated func run<Value: Sendable>(
        client: String, limit: Duration, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let asked = ContinuousClock.now
        return try await withTimeLimit(limit) {
            try await self.acquire(client)
            let began = ContinuousClock.now
            self.metrics.observe("lyra_queue_seconds", (began - asked) / .seconds(1))
            let id = UUID(), task = Task { try await body() }
            await self.register(id) { task.cancel() }
            let result = await withTaskCancellationHandler { await task.result } onCancel: { task.cancel() }
            await self.release(client, id, seconds: (ContinuousClock.now - began) / .seconds(1))
            do {
                return try result.get()
            } catch is CancellationError {
                throw await self.isStopping ? APIError.shuttingDown : CancellationError()
            }
        }
    }

    /// No new replies; those that wait are told.
    func stop() {
        isStopping = true
        for waiter in waiting { waiter.continuation.resume(throwing: APIError.shuttingDown) }
        waiting = []
        report()
    }

    /// Ends the replies that are still being made.
    func cancelAll() {
        for cancel in cancels.values { cancel() }
    }

    private func acquire(_ client: String) async throws {
        guard !isStopping else { throw APIError.shuttingDown }
        if runningCount < places, waiting.isEmpty { return give(client) }
        // One client may not fill the queue alone while others are there to use it.
        let own = waiting.count { $0.client == client }, others = waiting.count - own
        guard waiting.count < queueLimit, others == 0 || own < max(1, queueLimit / 2) else {
            metrics.add("lyra_refused_total")
            throw APIError.busy(
                "The server is busy: \(waiting.count) requests wait already. Try again later.",
                retryAfter: Int((typicalSeconds * Double(waiting.count + 1) / Double(places)).rounded(.up)))
        }
        let id = UUID()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                guard !Task.isCancelled else { return continuation.resume(throwing: CancellationError()) }
                waiting.append(Waiter(id: id, client: client, continuation: continuation))
                report()
            }
        } onCancel: {
            Task { await self.leave(id) }
        }
    }

    private func leave(_ id: UUID) {
        guard let index = waiting.firstIndex(where: { $0.id == id }) else { return }
        waiting.remove(at: index).continuation.resume(throwing: CancellationError())
        report()
    }

    private func register(_ id: UUID, cancel: @escaping @Sendable () -> Void) { cancels[id] = cancel }

    private func give(_ client: String) {
        running[client, default: 0] += 1
        served += 1
        lastServed[client] = served
        report()
    }

    private func release(_ client: String, _ id: UUID, seconds: Double) {
        cancels[id] = nil
        typicalSeconds += (seconds - typicalSeconds) * 0.1
        running[client, default: 1] -= 1
        if running[client] == 0 { running[client] = nil }
        while runningCount < places, let next = nextWaiter() {
            let waiter = waiting.remove(at: next)
            give(waiter.client)
            waiter.continuation.resume()
        }
        // Clients who are not here need not be remembered.
        if lastServed.count > 1_024 {
            let here = Set(waiting.map(\.client)).union(running.keys)
            lastServed = lastServed.filter { here.contains($0.key) }
        }
        report()
    }

    /// The client with the fewest replies in the making, then the one served longest ago, then who came first.
    private func nextWaiter() -> Int? {
        waiting.indices.min { a, b in
            let (first, second) = (waiting[a].client, waiting[b].client)
            let (ownA, ownB) = (running[first] ?? 0, running[second] ?? 0)
            if ownA != ownB { return ownA < ownB }
            let (lastA, lastB) = (lastServed[first] ?? 0, lastServed[second] ?? 0)
            return lastA != lastB ? lastA < lastB : a < b
        }
    }

    private func report() {
        metrics.set("lyra_replies_running", Double(runningCount))
        metrics.set("lyra_queue_length", Double(waiting.count))
    }
}
