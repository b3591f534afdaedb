// Which frames a video has and when, without decoding them.
import CFFmpeg

/// Time stamps of all frames in order of presentation, and where decoding can start.
struct FrameTable {
    let timestamps: [Int64]
    private let keys: [Int]  // numbers of key frames
    let canSeek: Bool
    var count: Int { timestamps.count }

    /// Reads through the file without decoding; it must be rewound afterwards.
    init(scanning input: OpaquePointer?, limit: Int, source: String) throws(MediaError) {
        var times: UnsafeMutablePointer<cff_frame_time>?
        var distinct = false
        let count = try checked(source, "video") { cff_input_scan(input, Int64(limit), &times, &distinct, &$0) }
        defer { cff_free(times) }
        let list = UnsafeBufferPointer(start: times, count: max(0, Int(count)))
        timestamps = list.map(\.timestamp)
        keys = list.indices.filter { list[$0].key }
        canSeek = distinct
    }

    /// The last key frame at or before a frame.
    func key(before index: Int) -> Int? {
        let after = partition(keys.count) { keys[$0] > index }
        return after > 0 ? keys[after - 1] : nil
    }

    /// The frame with a time stamp.
    func number(at timestamp: Int64) -> Int? {
        let place = partition(count) { timestamps[$0] >= timestamp }
        return place < count && timestamps[place] == timestamp ? place : nil
    }

    /// First number below `count` for which the condition holds, which it does for all after it.
    private func partition(_ count: Int, _ holds: (Int) -> Bool) -> Int {
        var low = 0, high = count
        while low < high {
            let middle = (low + high) / 2
            if holds(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
