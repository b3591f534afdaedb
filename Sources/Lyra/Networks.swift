// The networks of an open model, for tools that measure or look inside.
import LyraModel

extension Lyra {
    /// Runs `body` with the model's networks, on the model's own thread and between replies. They are not to be kept.
    public func withNetworks<Result: Sendable>(
        _ body: @Sendable (LyraModel) throws -> Result
    ) rethrows -> Result {
        try body(model)
    }
}
