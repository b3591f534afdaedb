// swift-tools-version: 6.1
// Lyra in Swift: a speech-centric omni-modal model. Layout and reasons: docs/decisions.md.
// Native libraries are found through pkg-config; `scripts/bootstrap` installs them and writes .deps/pkgconfig.
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "Lyra",
    products: [
        .library(name: "Lyra", targets: ["Lyra"]),
        .library(name: "LyraMedia", targets: ["LyraMedia"]),
        .library(name: "LyraText", targets: ["LyraText"]),
        .library(name: "LyraModel", targets: ["LyraModel"]),
        .library(name: "LyraTraining", targets: ["LyraTraining"]),
        .library(name: "LyraEvaluation", targets: ["LyraEvaluation"]),
        .library(name: "LyraSynthesis", targets: ["LyraSynthesis"]),
        .library(name: "MLX", targets: ["MLX"]),
        .executable(name: "lyra", targets: ["LyraCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    ],
    targets: [
        .systemLibrary(name: "CMLXLibrary", pkgConfig: "lyra-mlx"),
        .systemLibrary(name: "CFFmpegLibrary", pkgConfig: "lyra-ffmpeg"),
        .systemLibrary(name: "CCairo", pkgConfig: "cairo", providers: [.apt(["libcairo2-dev"])]),
        .target(
            name: "CMLX", dependencies: ["CMLXLibrary"],
            linkerSettings: [.linkedLibrary("dnnl"), .linkedLibrary(":libgomp.so.1")]),
        .target(name: "CFFmpeg", dependencies: ["CFFmpegLibrary"]),
        .target(name: "MLX", dependencies: ["CMLX"], swiftSettings: strict),
        .target(name: "LyraMedia", dependencies: ["CFFmpeg"], swiftSettings: strict),
        .target(name: "LyraText", swiftSettings: strict),
        .target(name: "LyraModel", dependencies: ["MLX"], swiftSettings: strict),
        .target(name: "Lyra", dependencies: ["LyraModel", "LyraMedia", "LyraText"], swiftSettings: strict),
        .target(name: "LyraSynthesis", dependencies: ["CCairo", "LyraMedia", "LyraText"], swiftSettings: strict),
        .target(
            name: "LyraTraining", dependencies: ["Lyra", "LyraModel", "LyraMedia", "LyraText", "MLX"], swiftSettings: strict),
        .target(name: "LyraEvaluation", dependencies: ["Lyra", "LyraModel", "LyraMedia"], swiftSettings: strict),
        .executableTarget(
            name: "LyraCommand",
            dependencies: [
                "Lyra", "LyraTraining", "LyraEvaluation", "LyraSynthesis", "LyraModel", "LyraMedia", "LyraText", "MLX",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .testTarget(name: "MLXTests", dependencies: ["MLX"], swiftSettings: strict),
        .testTarget(name: "LyraMediaTests", dependencies: ["LyraMedia"], swiftSettings: strict),
        .testTarget(name: "LyraTextTests", dependencies: ["LyraText"], swiftSettings: strict),
        .testTarget(name: "LyraModelTests", dependencies: ["LyraModel", "LyraMedia", "LyraText"], swiftSettings: strict),
        .testTarget(name: "LyraCommandTests", dependencies: ["LyraCommand", "Lyra", "LyraMedia", "LyraModel", "MLX"], swiftSettings: strict),
        .testTarget(
            name: "LyraTrainingTests",
            dependencies: ["LyraTraining", "Lyra", "LyraModel", "LyraMedia", "LyraText", "MLX"], swiftSettings: strict),
        .testTarget(
            name: "LyraEvaluationTests", dependencies: ["LyraEvaluation", "Lyra", "LyraModel", "LyraMedia"], swiftSettings: strict),
        .testTarget(
            name: "LyraSynthesisTests", dependencies: ["LyraSynthesis", "LyraMedia", "LyraText"], swiftSettings: strict),
        .testTarget(name: "LyraTests", dependencies: ["Lyra"], swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx20
)
