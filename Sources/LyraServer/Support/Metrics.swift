// What the server counts, in the text format that Prometheus reads.
import Foundation
import Synchronization

final class Metrics: Sendable {
    /// Upper bounds of the latency histograms, in seconds.
    private static let bounds = [0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30, 60, 120]

    private struct Histogram {
        var counts = Array(repeating: 0, count: bounds.count + 1)
        var sum = 0.0
    }
    private struct State {
        /// By name with labels.
        var counters: [String: Double] = [:]
        var gauges: [String: Double] = [:]
        var histograms: [String: Histogram] = [:]
    }
    private let state = Mutex(State())
    private let started = ContinuousClock.now

    private static let help: [(name: String, type: String, text: String)] = [
        ("lyra_requests_total", "counter", "Requests by route and status."),
        ("lyra_replies_total", "counter", "Replies by how they ended."),
        ("lyra_prompt_tokens_total", "counter", "Tokens of prompts."),
        ("lyra_cached_tokens_total", "counter", "Tokens of prompts that were taken from caches."),
        ("lyra_completion_tokens_total", "counter", "Tokens of replies."),
        ("lyra_heard_seconds_total", "counter", "Seconds of sound that came in."),
        ("lyra_spoken_seconds_total", "counter", "Seconds of sound that went out."),
        ("lyra_refused_total", "counter", "Requests refused because too many waited."),
        ("lyra_interruptions_total", "counter", "Spoken replies cut short by the speaker."),
        ("lyra_replies_running", "gauge", "Replies being made."),
        ("lyra_queue_length", "gauge", "Requests that wait for their turn."),
        ("lyra_realtime_sessions", "gauge", "Open realtime connections."),
        ("lyra_resident_bytes", "gauge", "Memory of the process."),
        ("lyra_uptime_seconds", "gauge", "Time since the start."),
        ("lyra_queue_seconds", "histogram", "Waiting before a reply is begun."),
        ("lyra_first_text_seconds", "histogram", "From the request to the first text of the reply."),
        ("lyra_first_sound_seconds", "histogram", "From the request to the first sound of the reply."),
        ("lyra_reply_seconds", "histogram", "From the request to the end of the reply."),
    ]

    func add(_ name: String, _ labels: [(String, String)] = [], by amount: Double = 1) {
        let key = Self.key(name, labels)
        state.withLock { $0.counters[key, default: 0] += amount }
    }

    func set(_ name: String, _ value: Double) { state.withLock { $0.gauges[name] = value } }
    func change(_ name: String, by amount: Double) { state.withLock { $0.gauges[name, default: 0] += amount } }

    func observe(_ name: String, _ seconds: Double) {
        let slot = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
        state.withLock {
            $0.histograms[name, default: Histogram()].counts[slot] += 1
            $0.histograms[name, default: Histogram()].sum += seconds
        }
    }

    private static func key(_ name: String, _ labels: [(String, String)]) -> String {
        guard !labels.isEmpty else { return name }
        let text = labels.map { name, value in
            "\(name)=\"\(value.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\""))\""
        }
        return "\(name){\(text.joined(separator: ","))}"
    }

    /// All of it.
    func text() -> String {
        set("lyra_resident_bytes", Double(Self.residentBytes))
        set("lyra_uptime_seconds", (ContinuousClock.now - started) / .seconds(1))
        let state = state.withLock { $0 }
        var lines: [String] = []
        for metric in Self.help {
            lines += ["# HELP \(metric.name) \(metric.text)", "# TYPE \(metric.name) \(metric.type)"]
            switch metric.type {
            case "histogram":
                let histogram = state.histograms[metric.name] ?? Histogram()
                var total = 0
                for (bound, count) in zip(Self.bounds.map { "\($0)" } + ["+Inf"], histogram.counts) {
                    total += count
                    lines.append("\(metric.name)_bucket{le=\"\(bound)\"} \(total)")
                }
                lines += ["\(metric.name)_sum \(histogram.sum)", "\(metric.name)_count \(total)"]
            case "gauge": lines.append("\(metric.name) \(state.gauges[metric.name] ?? 0)")
            default:
                let own = state.counters.filter { $0.key == metric.name || $0.key.hasPrefix(metric.name + "{") }
                lines += own.isEmpty ? ["\(metric.name) 0"] : own.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Memory of this process, from /proc.
    static var residentBytes: Int {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
