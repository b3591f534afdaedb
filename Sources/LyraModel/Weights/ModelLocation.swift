// Where the parts of a released checkpoint lie on disk (LYRA.md section 8).
import Foundation

/// A part of a model that is not where it is looked for.
public enum ModelLocationError: Error, LocalizedError, Equatable {
    case noModel(path: String, reason: String)
    case missingPart(part: String, named: String?, searched: [String], option: String)

    public var errorDescription: String? {
        switch self {
        case .noModel(let path, let reason): "\(path) is not a Lyra checkpoint: \(reason)"
        case .missingPart(let part, let named, let searched, let option):
            "the \(part)\(named.map { " '\($0)'" } ?? "") was not found; looked in:\n"
                + searched.map { "  \($0)" }.joined(separator: "\n") + "\nSay where it is with \(option)."
        }
    }
}

/// Folders of one Lyra: the model's own, and those of the towers and the vocoder that belong to it.
public struct ModelLocation: Sendable, Equatable {
    public var model: String
    public var vision: String?
    public var speech: String?
    public var vocoder: String?
    /// Folders of PEFT adapters that exist.
    public var adapters: [Adapter: String]
    /// Why a part is nil.
    public private(set) var missing: [String: ModelLocationError] = [:]

    /// Folder with the vocoder's `config.json` and weights, relative to the release's root.
    package static let vocoderFolder = "model_zoo/audio/vocoder"

    /// Finds all parts.
    ///
    /// - Parameter path: the folder with `config.json`, or a release's root that holds one model under `work_dirs/`.
    /// - Parameters vision, speech, vocoder: where to look instead of the places the configuration names.
    /// - Parameter adapters: folders of adapters to use instead of the checkpoint's.
    public static func resolve(
        _ path: String, vision: String? = nil, speech: String? = nil, vocoder: String? = nil, adapters: [Adapter: String] = [:]
    ) throws -> (location: ModelLocation, configuration: LyraConfiguration) {
        let model = try modelFolder(path)
        let configuration = try LyraConfiguration.load(model + "/config.json")
        let roots = [model, model + "/..", model + "/../..", FileManager.default.currentDirectoryPath]
        var location = ModelLocation(model: model, adapters: [:])
        func find(_ part: String, named: String?, override: String?, option: String) throws -> String? {
            if let override {
                guard exists(override + "/config.json") else {
                    throw ModelLocationError.missingPart(
                        part: part, named: override, searched: [override + "/config.json"], option: option)
                }
                return override
            }
            guard let named, !named.isEmpty else { return nil }
            let last = named.split(separator: "/").last.map(String.init) ?? named
            let places = (named.hasPrefix("/") ? [named] : []) + roots.map { "\($0)/\(named)" } + roots.map { "\($0)/\(last)" }
            if let place = places.first(where: { exists($0 + "/config.json") }) { return standardized(place) }
            location.missing[part] = .missingPart(
                part: part, named: named, searched: places.map { standardized($0) }, option: option)
            return nil
        }
        location.vision = try find("vision tower", named: configuration.visionTower, override: vision, option: "--vision-tower")
        location.speech = try find("speech tower", named: configuration.speechTower, override: speech, option: "--speech-tower")
        location.vocoder = try find("vocoder", named: vocoderFolder, override: vocoder, option: "--vocoder")
        for adapter in Adapter.allCases {
            if let folder = adapters[adapter] {
                guard exists(folder + "/adapter_config.json") else {
                    throw ModelLocationError.missingPart(
                        part: "adapter", named: folder, searched: [folder + "/adapter_config.json"],
                        option: adapter == .speech ? "--speech-lora" : "--long-speech-lora")
                }
                location.adapters[adapter] = standardized(folder)
                continue
            }
            let folder = "\(model)/\(adapter.folder)"
            if exists(folder + "/adapter_config.json") { location.adapters[adapter] = folder }
        }
        return (location, configuration)
    }

    private static func modelFolder(_ path: String) throws -> String {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw ModelLocationError.noModel(path: path, reason: "no such folder")
        }
        guard isFolder.boolValue else { throw ModelLocationError.noModel(path: path, reason: "it is a file, not a folder") }
        if exists(path + "/config.json") { return standardized(path) }
        let work = path + "/work_dirs"
        let models = ((try? FileManager.default.contentsOfDirectory(atPath: work)) ?? []).sorted()
            .filter { exists("\(work)/\($0)/config.json") }
        guard let only = models.first else {
            throw ModelLocationError.noModel(path: path, reason: "there is no config.json, nor a model under work_dirs/")
        }
        guard models.count == 1 else {
            throw ModelLocationError.noModel(
                path: path, reason: "it holds several models (\(models.joined(separator: ", "))); name one: \(work)/\(only)")
        }
        return standardized("\(work)/\(only)")
    }

    private static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
    private static func standardized(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }
}
