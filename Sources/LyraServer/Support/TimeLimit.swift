// Work that may take only so long.
import Foundation

/// Runs `body`; throws `failure` and cancels it when time is up.
func withTimeLimit<Value: Sendable>(
    _ limit: Duration, failure: APIError = .timeout, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let value = first else { throw failure }
        return value
    }
}
