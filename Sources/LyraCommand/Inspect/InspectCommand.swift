// lyra inspect: what a checkpoint or a weight file holds, and whether it is whole.
import ArgumentParser
import Foundation
import LyraModel

struct InspectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what a checkpoint holds, and check that it is whole.",
        discussion: """
            Nothing is loaded: parts, sizes and shapes come from the files' headers. With --check every value is read, \
            and tensors that hold NaN or infinite values are listed. The exit code is 1 if anything is wrong.

            Examples:
              lyra inspect Lyra_Mini_3B
              lyra inspect --check Lyra_Mini_3B
              lyra inspect --tensors model-00001-of-00002.safetensors
              lyra inspect --json Lyra_Mini_3B | jq .parts[].parameters
            """)

    @Argument(help: "A checkpoint's folder, a release's root, or one .safetensors, .bin or vocoder file. \(NamedModel.defaultHelp)")
    var model: String?

    @Flag(help: "List every tensor.")
    var tensors = false

    @Flag(help: "Read every value, and look for NaN and infinity.")
    var check = false

    @Flag(help: "Print one JSON object.")
    var json = false

    @Option(help: ArgumentHelp("Where the vision tower is, if not where config.json says.", valueName: "dir"))
    var visionTower: String?

    @Option(help: ArgumentHelp("Where the speech tower is, if not where config.json says.", valueName: "dir"))
    var speechTower: String?

    @Option(help: ArgumentHelp("Where the vocoder is, if not in model_zoo/audio/vocoder.", valueName: "dir"))
    var vocoder: String?

    func run() async throws {
        Log.start(verbose: false)
        let path = try NamedModel.path(model)
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { throw MissingInput("nothing at \(path)") }
        var report: InspectReport
        let audit: CheckpointAudit
        if isFolder.boolValue {
            let (location, configuration) = try ModelLocation.resolve(
                path, vision: visionTower, speech: speechTower, vocoder: vocoder)
            audit = CheckpointAudit(location, configuration)
            report = InspectReport(location, configuration, audit)
        } else {
            audit = try CheckpointAudit(file: path)
            report = InspectReport(file: path, audit)
        }
        if tensors { report.listTensors(audit) }
        if check { try report.scan(audit) }
        try Terminal.shared.write(json ? try JSONText.encode(report) + "\n" : report.text)
        if report.isBroken { throw BrokenCheckpoint(problems: report.problemCount) }
    }
}

struct BrokenCheckpoint: Error, LocalizedError {
    let problems: Int
    var errorDescription: String? { "\(problems) problem\(problems == 1 ? "" : "s") found, listed above" }
}
