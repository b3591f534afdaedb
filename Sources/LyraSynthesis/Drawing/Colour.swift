// The colours of the small world.
import LyraMedia

/// A colour with a name. Every shade that a name is drawn in is clearly that colour.
enum Colour: String, CaseIterable, Sendable {
    case red, green, blue, yellow, orange, purple, pink, brown, black, grey

    /// Red, green and blue in 0...1.
    var rgb: (Double, Double, Double) {
        switch self {
        case .red: (0.86, 0.10, 0.12)
        case .green: (0.10, 0.60, 0.20)
        case .blue: (0.12, 0.28, 0.85)
        case .yellow: (0.98, 0.86, 0.10)
        case .orange: (0.97, 0.52, 0.05)
        case .purple: (0.50, 0.15, 0.65)
        case .pink: (0.98, 0.55, 0.75)
        case .brown: (0.45, 0.27, 0.12)
        case .black: (0.05, 0.05, 0.05)
        case .grey: (0.55, 0.55, 0.55)
        }
    }

    /// A shade near the named one.
    func shade(_ random: inout SeededRandom) -> (Double, Double, Double) {
        let (r, g, b) = rgb
        let light = random.real(-0.05...0.05)
        func near(_ value: Double, _ offset: Double) -> Double { min(1, max(0, value + light + offset)) }
        return (near(r, random.real(-0.03...0.03)), near(g, random.real(-0.03...0.03)), near(b, random.real(-0.03...0.03)))
    }

    /// Backgrounds: light, so that every colour stands out.
    static let papers: [(Double, Double, Double)] = [
        (1, 1, 1), (0.97, 0.95, 0.90), (0.90, 0.94, 0.98), (0.93, 0.97, 0.92), (0.95, 0.92, 0.97), (0.90, 0.90, 0.90),
    ]
}
