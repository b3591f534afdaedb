// A reply being made for a request: waits for its place, runs, and hands its events on without waiting for who reads them.
import Foundation
import Lyra

struct Generation: Sendable {
    let events: AsyncThrowingStream<ReplyEvent, any Error>
    private let beginning: AsyncThrowingStream<Void, any Error>
    private let task: Task<Void, Never>

    /// Events wait in memory for a slow reader; the token limit bounds them. The place is free again when the model is done.
    init(
        _ service: Service, client: String,
        _ reply: @escaping @Sendable () async throws -> AsyncThrowingStream<ReplyEvent, any Error>
    ) {
        let (events, sink) = AsyncThrowingStream<ReplyEvent, any Error>.makeStream()
        let (beginning, first) = AsyncThrowingStream<Void, any Error>.makeStream()
        let asked = ContinuousClock.now
        let task = Task {
            @Sendable func passed() -> Double { (ContinuousClock.now - asked) / .seconds(1) }
            do {
                try await service.scheduler.run(client: client, limit: service.options.requestTimeout) {
                    var hasText = false, hasSound = false
                    for try await event in try await reply() {
                        switch event {
                        case .text where !hasText:
                            hasText = true
                            service.metrics.observe("lyra_first_text_seconds", passed())
                        case .audio where !hasSound:
                            hasSound = true
                            service.metrics.observe("lyra_first_sound_seconds", passed())
                        case .done(let reply):
                            service.count(reply)
                            service.metrics.observe("lyra_reply_seconds", passed())
                        default: break
                        }
                        sink.yield(event)
                        first.yield()
                    }
                    try Task.checkCancellation()
                }
                sink.finish()
                first.finish()
            } catch {
                let end = error is CancellationError ? "cancelled" : (error as? APIError)?.code ?? "error"
                service.metrics.add("lyra_replies_total", [("end", end)])
                sink.finish(throwing: error)
                first.finish(throwing: error)
            }
        }
        sink.onTermination = { _ in task.cancel() }
        (self.events, self.beginning, self.task) = (events, beginning, task)
    }

    func cancel() { task.cancel() }

    /// Waits for the first event, so that what is wrong with the request can still be told by the response's status.
    func begun() async throws {
        for try await _ in beginning { return }
        try Task.checkCancellation()
    }
}
