// An item in the making: its lines, and the media that have to be made for them.
import Foundation
import LyraMedia

struct Item {
    let split: Split
    let index: Int
    /// Of the data file, and of the folder of its media.
    private let file: DataFile
    private let format: AudioFormat
    var random: SeededRandom

    /// Most items are one line; those with a long recording are one for each question.
    private(set) var records = [Record()]
    private(set) var pictures: [(path: String, scene: any Scene, random: SeededRandom)] = []
    private(set) var videos: [(path: String, scene: VideoScene, random: SeededRandom)] = []
    private(set) var spoken: [(path: String, text: SpokenText)] = []
    private(set) var recording: (path: String, plan: Recording, withTranscript: Bool)?
    /// Recordings of people that are put together.
    private(set) var clips: (path: String, files: [String], gap: Double)?
    /// When each of them is heard, in seconds.
    private(set) var clipTimes: [ClosedRange<Double>] = []

    init(_ split: Split, _ file: DataFile, _ index: Int, seed: UInt64, format: AudioFormat) {
        (self.split, self.file, self.index, self.format) = (split, file, index, format)
        random = SeededRandom(seed, split.rawValue, file.name, index)
        record.id = "\(split)-\(file.name)-" + String(format: "%06d", index)
    }

    /// Whether lines say what is where in their pictures.
    var learnsRegions: Bool { ["pictures", "pages"].contains(file.name) }

    /// The line in the making.
    var record: Record {
        get { records[records.count - 1] }
        set { records[records.count - 1] = newValue }
    }

    /// Begins another line with the same recording.
    mutating func nextRecord() {
        var next = Record()
        next.id = "\(split)-\(file.name)-" + String(format: "%06d-%d", index, records.count)
        if let recording {
            next.speech = [recording.path]
            next.transcripts = [nil]
            next.voice = records[0].voice
        }
        records.append(next)
    }

    /// Media lie in folders of as many items as a shard has.
    private func path(_ suffix: String) -> String {
        file.name + String(format: "/%04d/%06d", index / file.shardSize, index) + suffix
    }

    // MARK: Media

    mutating func show(_ scene: any Scene) {
        let path = path(pictures.isEmpty ? ".png" : "-\(pictures.count).png")
        pictures.append((path, scene, SeededRandom(random.next(), "draw")))
        record.image = path
    }

    mutating func show(_ scene: VideoScene) {
        let path = path(".apng")
        videos.append((path, scene, SeededRandom(random.next(), "draw")))
        record.video = path
    }

    /// Adds an utterance.
    mutating func say(_ text: SpokenText) {
        record.speech.append(speak(text))
        record.transcripts.append(text.text)
        if record.voice == nil { record.voice = text.voice.name }
    }

    /// Adds the last answer as speech.
    mutating func answerAloud(_ text: String) {
        record.answerSpeech = speak(SpokenText(text, .answering))
        record.voice = Voice.answering.name
    }

    private mutating func speak(_ text: SpokenText) -> String {
        let path = path((spoken.isEmpty ? "" : "-\(spoken.count)") + "." + format.fileExtension)
        spoken.append((path, text))
        return path
    }

    /// - Parameter withTranscript: for recordings that fit into one window.
    mutating func add(_ recording: Recording, withTranscript: Bool) {
        // Hours of sound are worth compressing; spoken questions have the name without -r, where they are of that format too.
        let path = path(withTranscript ? "-r.\(format.fileExtension)" : format == .opus ? "-r.opus" : ".opus")
        self.recording = (path, recording, withTranscript)
        record.speech = [path]
        record.transcripts = [nil]
        record.voice = recording.voices.map(\.voice.name).joined(separator: ", ")
    }

    /// - Parameter gap: seconds of silence between recordings.
    mutating func add(clips files: [String], gap: Double, transcript: String, voice: String) {
        let path = path(".\(format.fileExtension)")
        clips = (path, files, gap)
        record.speech.append(path)
        record.transcripts.append(transcript)
        record.voice = voice
    }

    // MARK: Questions

    /// Asks about the recording, in writing or by voice.
    mutating func ask(_ question: Question, _ speakers: Speakers, byVoice isByVoice: Bool, about events: [Int]) {
        record.events.append(events)
        var text = question.text
        if isByVoice {
            let voice = record.voice
            say(speakers.say(question.text, &random))
            record.voice = voice
            text = "<speech>"
        }
        record.ask(text, question.answer, about: "<speech>\n")
    }

    /// Notes what a test item measures, and the right answers.
    mutating func measure(_ ability: String?, _ question: Question) {
        guard let ability else { return }
        (record.ability, record.kind, record.answers) = (ability, question.kind, question.accepted)
    }

    // MARK: Results

    /// Completes the lines by what is known now that the recording is there.
    mutating func complete(_ result: Recording.Result) {
        for index in records.indices {
            if recording?.withTranscript == true { records[index].transcripts[0] = result.transcript }
            records[index].seconds = (result.seconds * 100).rounded() / 100
            let times = records[index].events.map { $0.map { event in
                let (start, end) = (result.times[event].lowerBound, result.times[event].upperBound)
                return [(start * 100).rounded() / 100, (end * 100).rounded() / 100]
            } }
            let starts = times.joined().map { $0[0] }
            records[index].factSeconds = starts.isEmpty ? nil : starts
            // Only training learns from it.
            if records[index].ability == nil { records[index].evidence = times }
        }
    }

    /// Notes when the recordings that are put together are heard.
    mutating func complete(clips times: [ClosedRange<Double>]) { clipTimes = times }

    /// Puts what would be spoken into the lines' text.
    mutating func writeOut() throws {
        let transcript = try recording?.plan.text()
        for index in records.indices {
            if let transcript { records[index].transcripts[0] = transcript }
            records[index].writeOut()
        }
    }

    var utterances: [Utterance] {
        var result = spoken.map { spoken in
            var result = utterance(spoken.path, spoken.text.text, spoken.text.voice.name)
            // Found by the line whose answer it is.
            if let line = records.first(where: { $0.answerSpeech == spoken.path }) { result.id = line.id }
            return result
        }
        if let recording, recording.withTranscript, let transcript = records[0].transcripts.first ?? nil {
            result.append(utterance(recording.path, transcript, recording.plan.voices[0].voice.name))
        }
        if let clips, let transcript = records[0].transcripts.first ?? nil {
            var utterance = utterance(clips.path, transcript, records[0].voice ?? "")
            // A word each.
            let words = transcript.lowercased().split { !$0.isLetter }
            utterance.words = zip(words, clipTimes).map { Utterance.Word(word: String($0), start: $1.lowerBound, end: $1.upperBound) }
            result.append(utterance)
        }
        return result
    }

    private func utterance(_ path: String, _ text: String, _ voice: String) -> Utterance {
        Utterance(id: "\(split)-" + path.split(separator: ".")[0].replacing("/", with: "-"), speech: path, transcript: text, voice: voice)
    }
}
