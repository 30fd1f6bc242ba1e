"""A browser that looks at the page, and what must hold of whatever it sees."""

import base64
import json
import pathlib
import sys

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

BASE = sys.argv[1]
SHOTS = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[2] else None
CONTRAST = pathlib.Path(__file__).with_name("contrast.js").read_text()
OVERLAPS = pathlib.Path(__file__).with_name("overlaps.js").read_text()
DONE = {"checks": 0}


def holds(what, condition, shown=""):
    DONE["checks"] += 1
    if not condition:
        sys.exit(f"page: {what}: {shown}")


def equal(what, got, expected):
    holds(what, got == expected, f"got {got!r}, expected {expected!r}")


class Browser:
    """A browser of some size; every page it shows must be quiet and must load nothing more."""

    def __init__(self, width, height=900, dark=False, scripts=True, printed=False):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]:
            options.add_argument(flag)
        if not scripts:
            prefs = {"profile.managed_default_content_settings.javascript": 2}
            options.add_experimental_option("prefs", prefs)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        media = {"media": "print" if printed else "", "features": [scheme]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        try:
            if failure[0] is None:
                self.is_quiet()
        finally:
            self.driver.quit()

    def is_quiet(self):
        equal("the console is empty", self.driver.get_log("browser"), [])
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                holds("nothing else is loaded", url.startswith((BASE, "about:", "data:")), url)

    def open(self, path="/"):
        # By way of nowhere: a page that differs by its fragment alone would not load again.
        self.driver.get("about:blank")
        self.driver.get(BASE + path)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def press(self, *keys):
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def focused(self):
        return self.run("const a = document.activeElement; return a.closest('td') ? a.closest('td').id : a.id")

    def until(self, what, condition):
        try:
            WebDriverWait(self.driver, 10).until(lambda _: condition())
        except Exception as error:
            sys.exit(f"page: in vain: {what}: {type(error).__name__}")

    def fits(self, what):
        wide = self.run("const e = document.documentElement; return [e.scrollWidth, e.clientWidth]")
        holds(f"{what} is no wider than the screen", wide[0] <= wide[1], wide)
        equal(f"{what} has nothing cut off or one on top of the other", self.run(OVERLAPS), [])

    def is_legible(self, what):
        equal(f"{what} can be read", self.run(CONTRAST), [])

    def shot(self, name, height=None):
        if SHOTS is None:
            return
        SHOTS.mkdir(parents=True, exist_ok=True)
        options = {"format": "png"}
        if height:
            wide, high = self.run("return [innerWidth, document.documentElement.scrollHeight]")
            clip = {"x": 0, "y": 0, "width": wide, "height": min(high, height), "scale": 1}
            options |= {"captureBeyondViewport": True, "clip": clip}
        image = self.driver.execute_cdp_cmd("Page.captureScreenshot", options)
        (SHOTS / f"{name}.png").write_bytes(base64.b64decode(image["data"]))
