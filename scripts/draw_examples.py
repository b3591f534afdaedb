"""Draws the pictures and the clip under examples/. Knows nothing but geometry: shapes are signed distances, so that edges
are smooth without any library. Usage: draw_examples.py picture FILE.png | clip FILE.rgb | shapes FOLDER"""

import math
import struct
import sys
import zlib


class Canvas:
    def __init__(self, width, height):
        self.width, self.height = width, height
        self.pixels = [0.0] * (width * height * 3)

    def fill(self, distance, box, colour, opacity=1.0, feather=1.0):
        """Blends `colour` (a triple, or a function of x and y) where `distance` is below zero, within box x0, y0, x1, y1."""
        x0, y0, x1, y1 = box
        margin = math.ceil(feather) + 1
        paint = colour if callable(colour) else lambda x, y: colour
        for row in range(max(0, math.floor(y0) - margin), min(self.height, math.ceil(y1) + margin)):
            for column in range(max(0, math.floor(x0) - margin), min(self.width, math.ceil(x1) + margin)):
                x, y = column + 0.5, row + 0.5
                cover = opacity * min(1.0, max(0.0, 0.5 - distance(x, y) / feather))
                if cover > 0:
                    at = (row * self.width + column) * 3
                    for channel, value in enumerate(paint(x, y)):
                        self.pixels[at + channel] += (value - self.pixels[at + channel]) * cover

    def bytes(self):
        return bytes(min(255, max(0, int(value + 0.5))) for value in self.pixels)

    def write_png(self, path):
        raw, stride = self.bytes(), self.width * 3
        rows = []
        previous = bytes(stride)
        for y in range(self.height):  # filter 4 (Paeth) suits gradients
            row = raw[y * stride:(y + 1) * stride]
            line = bytearray([4])
            for i in range(stride):
                a = row[i - 3] if i >= 3 else 0
                b, c = previous[i], previous[i - 3] if i >= 3 else 0
                p = a + b - c
                pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
                line.append((row[i] - (a if pa <= pb and pa <= pc else b if pb <= pc else c)) & 255)
            rows.append(bytes(line))
            previous = row

        def chunk(kind, data):
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        with open(path, "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header))
            file.write(chunk(b"IDAT", zlib.compress(b"".join(rows), 9)) + chunk(b"IEND", b""))


# Signed distances, negative inside.

def disc(cx, cy, radius):
    return lambda x, y: math.hypot(x - cx, y - cy) - radius


def ellipse(cx, cy, rx, ry):
    return lambda x, y: (math.hypot((x - cx) / rx, (y - cy) / ry) - 1) * min(rx, ry)


def rectangle(x0, y0, x1, y1, corner=0.0):
    cx, cy, hw, hh = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2 - corner, (y1 - y0) / 2 - corner

    def distance(x, y):
        dx, dy = abs(x - cx) - hw, abs(y - cy) - hh
        return math.hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - corner
    return distance


def polygon(points):
    def distance(x, y):
        nearest, inside = float("inf"), False
        for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1]):
            nearest = min(nearest, segment(ax, ay, bx, by, 0)(x, y))
            if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
                inside = not inside
        return -nearest if inside else nearest
    return distance


def segment(ax, ay, bx, by, radius):
    ux, uy = bx - ax, by - ay
    length = ux * ux + uy * uy or 1e-9

    def distance(x, y):
        t = min(1.0, max(0.0, ((x - ax) * ux + (y - ay) * uy) / length))
        return math.hypot(x - ax - t * ux, y - ay - t * uy) - radius
    return distance


# Letters as strokes in a cell 0...1 wide and 0 (top) ... 1 high: lines, and arcs (centre, radii, degrees from, to).
FONT = {
    "A": (0.9, [(0, 1, 0.45, 0), (0.45, 0, 0.9, 1), (0.17, 0.64, 0.73, 0.64)], []),
    "B": (0.72, [(0, 0, 0, 1), (0, 0, 0.4, 0), (0, 0.47, 0.4, 0.47), (0, 1, 0.4, 1)],
          [(0.4, 0.235, 0.27, 0.235, -90, 90), (0.4, 0.735, 0.32, 0.265, -90, 90)]),
    "C": (0.8, [], [(0.45, 0.5, 0.45, 0.5, 50, 310)]),
    "D": (0.8, [(0, 0, 0, 1), (0, 0, 0.3, 0), (0, 1, 0.3, 1)], [(0.3, 0.5, 0.5, 0.5, -90, 90)]),
    "E": (0.62, [(0, 0, 0, 1), (0, 0, 0.62, 0), (0, 0.48, 0.52, 0.48), (0, 1, 0.62, 1)], []),
    "L": (0.58, [(0, 0, 0, 1), (0, 1, 0.58, 1)], []),
    "N": (0.78, [(0, 1, 0, 0), (0, 0, 0.78, 1), (0.78, 1, 0.78, 0)], []),
    "O": (0.95, [], [(0.475, 0.5, 0.475, 0.5, 0, 360)]),
    "P": (0.68, [(0, 0, 0, 1), (0, 0, 0.38, 0), (0, 0.54, 0.38, 0.54)], [(0.38, 0.27, 0.3, 0.27, -90, 90)]),
    "S": (0.68, [], [(0.34, 0.25, 0.32, 0.25, 90, 330), (0.34, 0.75, 0.34, 0.25, -90, 150)]),
}


def write(canvas, text, x, y, height, colour, weight, spacing=0.3):
    """Writes centred on x, with the top at y."""
    widths = [FONT[letter][0] * height for letter in text]
    pen = x - (sum(widths) + spacing * height * (len(text) - 1)) / 2
    for letter, width in zip(text, widths):
        _, lines, arcs = FONT[letter]
        strokes = [tuple(value * height for value in line) for line in lines]
        for cx, cy, rx, ry, start, end in arcs:
            steps = 28
            points = [(cx + rx * math.cos(a), cy + ry * math.sin(a))
                      for a in (math.radians(start + (end - start) * i / steps) for i in range(steps + 1))]
            strokes += [tuple(v * height for v in a + b) for a, b in zip(points, points[1:])]
        parts = [segment(pen + ax, y + ay, pen + bx, y + by, weight) for ax, ay, bx, by in strokes]
        canvas.fill(lambda px, py: min(part(px, py) for part in parts),
                    (pen - weight, y - weight, pen + width + weight, y + height + weight), colour)
        pen += width + spacing * height


def mix(a, b, share):
    return tuple(x + (y - x) * min(1, max(0, share)) for x, y in zip(a, b))


def shadow(canvas, distance, box, opacity=0.28, feather=14):
    canvas.fill(distance, (box[0] - feather, box[1] - feather, box[2] + feather, box[3] + feather), (40, 32, 34), opacity, feather)


def ball(canvas, cx, cy, radius, light, deep, ground):
    canvas.fill(ellipse(cx + radius * 0.15, ground, radius * 0.95, radius * 0.16),
                (cx - 1.3 * radius, ground - radius * 0.5, cx + 1.5 * radius, ground + radius * 0.5), (40, 30, 25), 0.38, radius * 0.22)

    def shade(x, y):
        return mix(light, deep, (math.hypot(x - cx + radius * 0.38, y - cy + radius * 0.42) / radius) ** 1.5 * 0.62)
    box = (cx - radius, cy - radius, cx + radius, cy + radius)
    canvas.fill(disc(cx, cy, radius), box, shade)
    canvas.fill(ellipse(cx - radius * 0.38, cy - radius * 0.46, radius * 0.2, radius * 0.13), box, (255, 255, 255), 0.55, radius * 0.14)


def picture(path):
    width, height, table = 672, 504, 366
    canvas = Canvas(width, height)
    whole = (0, 0, width, height)
    canvas.fill(lambda x, y: -1, whole,
                lambda x, y: mix((244, 238, 226), (222, 214, 203), (y / table) ** 1.4 * 0.8 + abs(x - 300) / 1400))

    # A table of boards.
    def wood(x, y):
        grain = math.sin(y * 0.55 + 3.2 * math.sin(x * 0.006) + math.sin(x * 0.021)) * 4 + math.sin(y * 1.7 + x * 0.013) * 2
        return tuple(c + grain for c in mix((201, 152, 101), (160, 110, 68), (y - table) / (height - table)))
    canvas.fill(lambda x, y: table - y, (0, table, width, height), wood)
    canvas.fill(lambda x, y: abs(y - table - 1) - 1.6, (0, table - 4, width, table + 4), (226, 184, 136), 0.8)

    # The sign on two cords.
    for x in (112, 248):
        canvas.fill(segment(180, 26, x, 74, 1.3), whole, (96, 84, 74))
    canvas.fill(disc(180, 25, 5), (170, 15, 190, 35), (122, 110, 100))
    board = (58, 72, 302, 186)
    shadow(canvas, rectangle(board[0] + 4, board[1] + 8, board[2] + 4, board[3] + 8, 12), board)
    canvas.fill(rectangle(*board, 12), board, lambda x, y: mix((38, 78, 112), (24, 56, 84), (y - 72) / 114))
    inner = rectangle(board[0] + 9, board[1] + 9, board[2] - 9, board[3] - 9, 7)
    canvas.fill(lambda x, y: abs(inner(x, y)) - 1.4, board, (238, 224, 190))
    write(canvas, "OPEN", 180, 107, 44, (250, 240, 214), 5.0, spacing=0.34)

    # A bar chart on paper.
    paper = (384, 36, 618, 292)
    shadow(canvas, rectangle(paper[0] + 3, paper[1] + 7, paper[2] + 3, paper[3] + 7), paper, 0.24)
    canvas.fill(rectangle(*paper, 2), paper, lambda x, y: mix((255, 255, 253), (243, 243, 240), (y - 36) / 256))
    canvas.fill(rectangle(474, 28, 528, 46, 2), (474, 28, 528, 46), (236, 214, 150), 0.85)
    write(canvas, "APPLES", 501, 60, 17, (70, 74, 82), 1.8, spacing=0.36)
    left, right, top, base = 412, 596, 98, 254
    for step in range(5):
        y = base - step * (base - top) / 4
        canvas.fill(segment(left, y, right, y, 0.5), (left, y - 2, right, y + 2), (120, 126, 136), 0.9 if step == 0 else 0.3)
    canvas.fill(segment(left, top - 6, left, base, 0.8), (left - 2, top - 8, left + 2, base + 2), (120, 126, 136))
    bars = [("A", 0.5, (82, 140, 190)), ("B", 0.9, (230, 155, 70)), ("C", 0.3, (120, 170, 110)), ("D", 0.7, (170, 110, 160))]
    for i, (name, value, colour) in enumerate(bars):
        x = left + 16 + i * 44
        bar = (x, base - value * (base - top), x + 28, base)
        canvas.fill(rectangle(*bar), bar, lambda px, py, c=colour, b=bar: mix(mix(c, (255, 255, 255), 0.16), c, (py - b[1]) / 70))
        write(canvas, name, x + 14, base + 10, 14, (70, 74, 82), 1.6)

    # On the table: a blue cube, a red ball, a green cone.
    canvas.fill(polygon([(118, 438), (226, 438), (268, 410), (290, 424), (240, 462), (130, 462)]), (110, 400, 300, 470), (40, 30, 25), 0.3, 16)
    front = [(108, 340), (210, 340), (210, 442), (108, 442)]
    lid = [(108, 340), (146, 310), (248, 310), (210, 340)]
    side = [(210, 340), (248, 310), (248, 408), (210, 442)]
    for points, colour in ((front, (52, 110, 190)), (lid, (104, 156, 222)), (side, (34, 78, 146))):
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        canvas.fill(polygon(points), (min(xs), min(ys), max(xs), max(ys)), lambda x, y, c=colour: mix(c, (20, 40, 80), (y - 310) / 800))
    ball(canvas, 358, 382, 68, (240, 76, 62), (128, 12, 18), 450)
    canvas.fill(ellipse(552, 442, 76, 13), (460, 420, 640, 465), (40, 30, 25), 0.34, 14)
    tip, low, half = (540, 300), 430, 60

    def cone(x, y):
        flat = polygon([tip, (tip[0] + half, low), (tip[0] - half, low)])(x, y)
        return min(flat, ellipse(tip[0], low, half, 14)(x, y))
    canvas.fill(cone, (tip[0] - half, tip[1], tip[0] + half, low + 16),
                lambda x, y: mix((122, 196, 98), (24, 92, 50), (x - tip[0] + half * 0.75) / (half * 1.7)))
    canvas.write_png(path)


def clip(path):
    """40 frames of a ball that bounces from left to right: 2.5 seconds at 16 a second, raw RGB."""
    width, height, frames, floor = 336, 252, 40, 206
    background = Canvas(width, height)
    background.fill(lambda x, y: -1, (0, 0, width, height), lambda x, y: mix((226, 236, 244), (196, 214, 228), y / height))
    background.fill(lambda x, y: floor - y, (0, floor, width, height), lambda x, y: mix((122, 156, 118), (92, 128, 94), (y - floor) / 46))
    with open(path, "wb") as file:
        for frame in range(frames):
            canvas = Canvas(width, height)
            canvas.pixels = list(background.pixels)
            share = frame / (frames - 1)
            bounce = abs(math.cos(share * 2.5 * math.pi)) * (1 - 0.35 * share)
            ball(canvas, 40 + share * 256, floor - 28 - 118 * bounce + 6, 28, (250, 196, 70), (196, 104, 16), floor + 6)
            file.write(canvas.bytes())


def shapes(folder):
    """Small pictures of one form each, for training examples."""
    forms = {"circle": disc(56, 42, 28), "square": rectangle(30, 16, 82, 68), "triangle": polygon([(56, 12), (90, 70), (22, 70)])}
    colours = {"red": (214, 48, 44), "blue": (46, 92, 200), "green": (52, 150, 74), "yellow": (240, 200, 40)}
    for name in ("red_circle", "blue_square", "green_triangle", "yellow_circle"):
        colour, form = name.split("_")
        canvas = Canvas(112, 84)
        whole = (0, 0, 112, 84)
        canvas.fill(lambda x, y: -1, whole, (246, 244, 238))
        canvas.fill(forms[form], whole, colours[colour])
        canvas.write_png(f"{folder}/{name}.png")


if __name__ == "__main__":
    {"picture": picture, "clip": clip, "shapes": shapes}[sys.argv[1]](sys.argv[2])
