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
        .library(name: "LyraServer", targets: ["LyraServer"]),
        .library(name: "LyraEvaluation", targets: ["LyraEvaluation"]),
        .library(name: "LyraSynthesis", targets: ["LyraSynthesis"]),
        .library(name: "MLX", targets: ["MLX"]),
        .executable(name: "lyra", targets: ["LyraCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.30.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.30.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.4.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.20.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.30.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.8.0"),
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
        .target(
            name: "LyraServer",
            dependencies: [
                "Lyra", "LyraMedia",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            resources: [
                .embedInCode("Page/index.html"), .embedInCode("Page/page.css"), .embedInCode("Page/page.js"),
                .embedInCode("Page/recorder.js"),
            ],
            swiftSettings: strict),
        .target(name: "LyraEvaluation", dependencies: ["Lyra", "LyraModel", "LyraMedia"], swiftSettings: strict),
        .executableTarget(
            name: "LyraCommand",
            dependencies: [
                "Lyra", "LyraServer", "LyraTraining", "LyraEvaluation", "LyraSynthesis", "LyraModel", "LyraMedia", "LyraText", "MLX",
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
            name: "LyraServerTests",
            dependencies: [
                "LyraServer", "Lyra", "LyraMedia", "LyraModel",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "LyraEvaluationTests", dependencies: ["LyraEvaluation", "Lyra", "LyraModel", "LyraMedia"], swiftSettings: strict),
        .testTarget(
            name: "LyraSynthesisTests", dependencies: ["LyraSynthesis", "LyraMedia", "LyraText"], swiftSettings: strict),
        .testTarget(name: "LyraTests", dependencies: ["Lyra"], swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx20
)
