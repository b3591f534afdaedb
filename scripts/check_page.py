"""Uses the page of a running server as people do, in headless Chromium: check_page.py ADDRESS [FOLDER]

Needs playwright (PyPI) and Debian's chromium, and a server of nano, the model it has by default, whose answers have to be right. Prints a
line per check and fails at the first that is not right. With a folder, screenshots are written there: light, dark, phone, settings,
hands-free.
"""

import pathlib
import sys
import tempfile
import time
import wave

from playwright.sync_api import sync_playwright

ADDRESS = sys.argv[1]
FOLDER = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"
PICTURE = EXAMPLES / "nano/picture.png"
# "What can you see in the picture?"
SPOKEN = EXAMPLES / "nano/question.wav"
SHOWN = "A big red ring in the middle, a big blue ring on the right and a big pink moon at the bottom."


def check(name, is_right, detail="") -> None:
    if not is_right:
        sys.exit(f"FAILED  {name}: {detail}")
    print(f"ok      {name}", flush=True)


def microphone() -> str:
    """The spoken question, with a pause before it and after, as a fake microphone loops it: soon enough to speak over the answer."""
    path = tempfile.mkstemp(suffix=".wav")[1]
    with wave.open(str(SPOKEN)) as source, wave.open(path, "wb") as target:
        target.setparams(source.getparams())
        target.writeframes(bytes(16000) + source.readframes(source.getnframes()) + bytes(25600))
    return path


def shoot(page, name) -> None:
    if FOLDER:
        page.wait_for_timeout(400)
        page.screenshot(path=FOLDER / f"page-{name}.png")


def until(page, expression, seconds=120) -> None:
    """Waits for something to be so. The page's policy forbids what playwright does for that by itself."""
    end = time.time() + seconds
    while not page.evaluate(expression):
        if time.time() > end:
            sys.exit(f"FAILED  waited in vain for: {expression}")
        page.wait_for_timeout(50)


def settled(page) -> None:
    """Waits until as many questions as there are have been answered."""
    count = "document.querySelectorAll('.message.{}').length"
    until(page, f"{count.format('busy')} === 0 && {count.format('assistant')} === {count.format('user')} && {count.format('user')} > 0")


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[
        "--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone()}", "--autoplay-policy=no-user-gesture-required",
    ])
    problems = []

    def open_page(**options):
        context = browser.new_context(permissions=["microphone"], **options)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: problems.append(request.url) if not request.url.startswith((ADDRESS, "data:", "blob:")) else None)
        page.goto(ADDRESS)
        return page

    page = open_page(viewport={"width": 1180, "height": 860}, color_scheme="light")
    check("welcome", page.get_by_text("Show me, tell me, ask me.").is_visible())
    shoot(page, "welcome")

    page.set_input_files("#file", PICTURE)
    check("a picture is attached", page.locator(".attachment img").count() == 1)
    page.locator("#open-settings").click()
    page.locator("#s-evidence").check()
    shoot(page, "settings")
    page.keyboard.press("Escape")
    page.locator("#text").fill("What does the picture show?")
    page.keyboard.press("Enter")
    settled(page)
    answer = page.locator(".message.assistant").last
    check("the right answer in text", answer.locator(".words").inner_text() == SHOWN, answer.locator(".words").inner_text())
    check("and in sound", answer.locator(".sound").count() == 1)
    answer.get_by_role("button", name="Evidence").click()
    check("evidence lies over the picture", page.locator(".shows-evidence canvas").count() >= 1)

    page.set_input_files("#file", EXAMPLES / "recording.ogg")
    page.locator("#text").fill("Who is the rabbit?")
    page.locator("#send").click()
    settled(page)
    check("a recording has its waveform", page.locator(".message.user .sound").count() == 1)
    wave_view = page.locator(".message.user .sound canvas")
    until(page, "Number(document.querySelector('.message.user .sound canvas').ariaValueMax) > 0")
    box = wave_view.bounding_box()
    wave_view.click(position={"x": box["width"] * 0.5, "y": box["height"] / 2})
    page.wait_for_timeout(300)
    check("a click plays from there", int(wave_view.get_attribute("aria-valuenow") or 0) > 0)
    page.locator(".message.user .sound button").first.click()
    page.locator(".message.assistant").last.get_by_role("button", name="Evidence").click()
    shoot(page, "light")

    page.locator("#text").fill("Go on.")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#send').ariaLabel === 'Stop'")
    page.keyboard.press("Escape")
    settled(page)
    check("the stop key stops", page.get_by_text("interrupted").count() >= 1)

    talk = page.locator("#talk")
    talk.hover()
    page.mouse.down()
    page.wait_for_timeout(2500)
    check("push to talk shows that it listens", "Listening" in page.locator("#note").inner_text())
    page.mouse.up()
    page.wait_for_timeout(500)
    settled(page)
    check("a held button asks by voice", page.locator(".message.user").last.locator(".sound").count() == 1)

    page.reload()
    page.wait_for_selector(".message")
    check("the conversation is kept", page.locator(".message.user").count() == 4)

    page.locator("#new").click()
    page.set_input_files("#file", PICTURE)
    page.locator("#hands-free").click()
    page.wait_for_selector(".message.user .sound", state="attached", timeout=60_000)
    check("hands-free speech is found", True)
    said = "[...document.querySelectorAll('.message.assistant .words')].map((words) => words.textContent)"
    until(page, f"{said}.some((words) => words.includes('big red ring in the middle'))")
    check("and answered about the picture", True)
    shoot(page, "voice")
    until(page, "document.querySelectorAll('.message.assistant .sound').length > 0")
    check("in sound, too", True)
    until(page, "document.querySelectorAll('.message.user .sound').length > 3")
    check("and goes on", True)
    # The microphone repeats the question soon after it: an answer that is still heard is spoken over.
    until(page, "document.body.innerText.includes('interrupted')")
    check("speaking over an answer interrupts it", True)
    page.locator("#voice-end").click()
    check("hands-free ends", not page.locator("#voice").is_visible())

    dark = open_page(viewport={"width": 1180, "height": 860}, color_scheme="dark")
    phone = open_page(viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True, is_mobile=True, color_scheme="light")
    for other, name in ((dark, "dark"), (phone, "phone")):
        other.set_input_files("#file", PICTURE)
        other.locator("#text").fill("What does the picture show?")
        other.locator("#send").click()
        settled(other)
        check(f"{name}: answered", other.locator(".message.assistant .words").last.inner_text() == SHOWN)
        overflow = other.evaluate("document.documentElement.scrollWidth - innerWidth")
        check(f"{name}: fits its width", overflow <= 0, overflow)
        shoot(other, name)
    check("no errors, and nothing from elsewhere", not problems, problems[:5])
    browser.close()
