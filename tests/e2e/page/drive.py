"""Looks at the matrix page as people do: with a mouse, with a keyboard, without scripts, on a
small screen, in the dark. Every cell is held against `/v1/matrix`."""

import json
import urllib.request

from browser import BASE, DONE, Browser, equal, holds
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys


def matrix(query=""):
    with urllib.request.urlopen(f"{BASE}/v1/matrix{query}") as reply:
        return json.load(reply)


def shown_cells(browser):
    """Every cell as the table shows it: by row and role, each letter with its word and state."""
    script = """
      const table = document.getElementById('table');
      const roles = [...table.tHead.rows[0].cells].slice(1).map((it) => it.textContent);
      return [...table.querySelectorAll('tbody tr:not(.section)')].map((row) => [
        row.querySelector('.row-id').textContent,
        [...row.querySelectorAll('td')].map((td, at) => [roles[at], [...td.querySelectorAll('.line')].map((line) => [
          line.querySelector('.crud') ? line.querySelector('.crud').textContent : '',
          line.querySelector('.word').dataset.word,
          line.querySelector(':scope > .mark').className.replace('mark ', ''),
        ])])
      ])"""
    shown = {}
    for row, cells in browser.run(script):
        for role, lines in cells:
            for letters, word, state in lines:
                for letter in letters or [""]:
                    shown[row, letter, role] = (word, state)
    return shown


def every_cell_is_that_of_the_data(browser):
    data = matrix()
    browser.open()
    equal("the title", browser.driver.title, "Permission matrix – Palisade")
    equal("rows", len(browser.all("#table tbody tr:not(.section)")), 20)
    roles = [it.text for it in browser.all("#table thead th")]
    equal("columns", roles, ["Action", *data["roles"]])
    equal("roles", len(data["roles"]), 5)
    expected = {
        (line["row_id"], line["crud"], line["role"]): (line["scope"], cell["state"])
        for line, cell in zip(data["lines"], data["cells"])
    }
    equal("cells", shown_cells(browser), expected)
    equal("a known cell", expected["T09", "", "Manager"], ("workspace_and_invited", "tested"))
    equal("another", expected["T04", "C", "Annotator"][0], "never")
    ids = browser.run("return [...document.querySelectorAll('[id]')].map((it) => it.id)")
    equal("each id stands once", len(ids), len(set(ids)))
    broken = browser.run(
        "return [...document.querySelectorAll('a[href^=\"#\"]')].map((it) => it.hash.slice(1))"
        ".filter((id) => !document.getElementById(id))"
    )
    equal("links lead somewhere", broken, [])


def what_is_behind_each_cell_is_told(browser):
    data = matrix()
    texts = browser.run(
        "return Object.fromEntries([...document.querySelectorAll('.panel')].map((it) => [it.id, it.textContent]))"
    )
    groups = set()
    for line, cell in zip(data["lines"], data["cells"]):
        text = texts[f"{line['row_id']}-{line['role']}"]
        for id in cell["permits"] + cell["forbids"]:
            policy = data["policies"][id]
            place = f"{policy['file']}:{policy['line']}"
            holds("a panel names its policies", id in text and place in text, (line, id))
        for id in cell["permits"]:
            holds("a panel has the text", data["policies"][id]["text"].strip() in text, (line, id))
        for definition in cell["specification"]:
            holds("a panel has the specification", definition["text"].strip() in text, line)
        for ruling in cell["rulings"]:
            holds("a panel explains rulings", data["rulings"][ruling] in text, (line, ruling))
        holds("a panel has the documents' words", cell["printed"]["cell"] in text, line)
        for place in cell["printed"]["seed_ref"].split(";"):
            holds("a panel says where they stand", place in text, line)
        # Letters that say the same share their questions.
        group = (line["row_id"], line["role"], line["scope"])
        for question in [] if group in groups else cell["examples"].values():
            written = question and json.dumps(question, separators=(",", ":"), ensure_ascii=False)
            holds("a panel has example questions", not question or written in text, (line, written))
        groups.add(group)


def a_click_shows_the_policies(browser):
    browser.open()
    browser.one("#cell-T05-Manager a.cell").click()
    panel = browser.one("#T05-Manager")
    browser.until("the panel", panel.is_displayed)
    holds("with file and line", "policies/enterprise/project_management.cedar:" in panel.text, panel.text)
    browser.until("the focus is on it", lambda: browser.focused() == "T05-Manager")
    panel.find_element(By.CSS_SELECTOR, ".close").click()
    browser.until("it is closed", lambda: not panel.is_displayed())
    equal("the focus is back", browser.focused(), "cell-T05-Manager")


def a_keyboard_is_enough(browser):
    browser.open()
    browser.one("body").send_keys(Keys.TAB)
    equal("first comes the way to the table", browser.driver.switch_to.active_element.text, "Skip to the table")
    browser.press(Keys.ENTER)
    browser.until("the focus is on the table", lambda: browser.focused() == "table")
    browser.press(Keys.TAB)
    equal("then its first cell", browser.focused(), "cell-T01-Annotator")
    browser.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    equal("arrows lead on", browser.focused(), "cell-T02-Manager")
    browser.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.END)
    equal("over the head of a section", browser.focused(), "cell-T04-Owner")
    browser.press(Keys.HOME, Keys.ARROW_LEFT)
    equal("not out of the table", browser.focused(), "cell-T04-Annotator")
    browser.press(Keys.ENTER)
    panel = browser.one("#T04-Annotator")
    browser.until("Enter opens", panel.is_displayed)
    browser.until("and leads there", lambda: browser.focused() == "T04-Annotator")
    browser.press(Keys.TAB)
    equal("on to the way out", browser.driver.switch_to.active_element.text, "Close")
    browser.press(Keys.ESCAPE)
    browser.until("Escape closes", lambda: not panel.is_displayed())
    equal("and leads back", browser.focused(), "cell-T04-Annotator")


def rulings_are_explained(browser):
    says = matrix()["rulings"]
    browser.open()
    for mark in ["#cell-T02-Manager .ruling", "#cell-T17-Annotator .ruling", "#cell-T17-Owner .ruling"]:
        ruling = browser.one(mark)
        tip = ruling.find_element(By.XPATH, "following-sibling::*[@role='tooltip']")
        holds("a tooltip waits", not tip.is_displayed())
        browser.run("arguments[0].scrollIntoView({block: 'center'}); arguments[0].focus()", ruling)
        holds("focus shows it", tip.is_displayed(), mark)
        equal("it is the ruling's", tip.text, says[ruling.text])
        equal("it is told to screen readers", ruling.get_attribute("aria-describedby"), tip.get_attribute("id"))
        sides = browser.run("const r = arguments[0].getBoundingClientRect(); return [r.left, r.right, innerWidth]", tip)
        holds("it is on the screen", 0 <= sides[0] and sides[1] <= sides[2], sides)
        if "T02" in mark:
            browser.shot(f"ruling-{browser.run('return innerWidth')}")
        browser.press(Keys.ESCAPE)
        holds("Escape hides it", not tip.is_displayed(), mark)


def rows_can_be_filtered(browser):
    browser.open()
    shown = lambda: [it.text for it in browser.all("#table tbody tr:not([hidden]) .row-id")]
    browser.one("#filter").send_keys("export data")
    equal("one row is left", shown(), ["T09"])
    equal("and is counted", browser.one(".filter output").text, "1 row")
    browser.one("#filter").clear()
    browser.one("#filter").send_keys("x", Keys.BACKSPACE)
    equal("and all are back", len(shown()), 20)


def a_candidate_is_compared(browser, width, dark):
    tone = "dark" if dark else "light"
    changes = matrix("?against=next")["against"]["changes"]
    reviewer = {"row_id": "T02", "crud": "", "role": "Reviewer", "from": "never", "to": "organization"}
    equal("what changes", changes, [reviewer])
    browser.open()
    browser.one(".compare a[href='/?against=next']").click()
    browser.until("the comparison", lambda: browser.all(".against"))
    changed = browser.run("return [...document.querySelectorAll('.changed')].map((it) => it.id)")
    equal("exactly what changes is marked", changed, ["cell-T02-Reviewer"])
    said = browser.one(".against").text
    holds("and told first", "1 cell would change" in said and "View the Organization page, Reviewer" in said, said)
    browser.fits("a comparison")
    browser.is_legible("a comparison")
    browser.shot(f"against-{width}-{tone}", 1600)
    browser.open("/?against=same")
    equal("nothing changes", browser.all(".changed"), [])
    holds("and is said", "It is what is in force." in browser.one(".against").text)
    browser.open("/?against=broken")
    said = browser.one(".against").text
    holds("what is wrong is told", "zz.cedar:1:38" in said and "wen { true }" in said, said)
    browser.fits("what is wrong")
    browser.shot(f"broken-{width}-{tone}")


def it_looks_well(browser, width, dark):
    tone = "dark" if dark else "light"
    browser.open()
    browser.fits("the page")
    browser.is_legible("the page")
    browser.shot(f"table-{width}-{tone}", 12000)
    browser.shot(f"screen-{width}-{tone}")
    for cell in ["T05-Manager", "T02-Manager", "T07-Annotator", "T19-Owner"]:
        browser.open(f"/#{cell}")
        browser.until("the panel", browser.one(f"#{cell}").is_displayed)
        browser.fits(cell)
        browser.is_legible(cell)
        if cell == "T05-Manager":
            browser.shot(f"panel-{width}-{tone}")
            browser.run("const p = document.querySelector('.panel:target'); p.scrollTop = p.scrollHeight")
            browser.shot(f"panel-end-{width}-{tone}")


def every_state_is_legible(browser, width, dark):
    # What is served is all tested; what cells of the other states look like is shown by saying so.
    browser.open()
    browser.run("""
      const states = ['proved', 'tested', 'refuted', 'unknown'];
      for (const [at, td] of [...document.querySelectorAll('#table td')].entries()) {
        for (const it of [td, ...td.querySelectorAll('.mark')]) {
          it.classList.remove('tested');
          it.classList.add(states[(at * 7) % 4]);
        }
        for (const mark of td.querySelectorAll('.mark')) mark.textContent = 'PTR?'[(at * 7) % 4];
        td.classList.toggle('changed', at % 9 === 0);
      }""")
    browser.is_legible("every state")
    browser.shot(f"states-{width}-{'dark' if dark else 'light'}", 1600)


def without_scripts(browser):
    browser.open()
    holds("what needs scripts is not there", not browser.one(".filter").is_displayed())
    equal("rows", len(browser.all("#table tbody tr:not(.section)")), 20)
    browser.one("#cell-T05-Manager a.cell").click()
    panel = browser.one("#T05-Manager")
    browser.until("the panel", panel.is_displayed)
    holds("with its policies", "project_management.cedar:" in panel.text)
    panel.find_element(By.CSS_SELECTOR, ".close").click()
    browser.until("it is closed", lambda: not panel.is_displayed())


def main():
    with Browser(1280) as browser:
        every_cell_is_that_of_the_data(browser)
        what_is_behind_each_cell_is_told(browser)
        a_click_shows_the_policies(browser)
        a_keyboard_is_enough(browser)
        rulings_are_explained(browser)
        rows_can_be_filtered(browser)
    for width in [1280, 400]:
        for dark in [False, True]:
            with Browser(width, dark=dark) as browser:
                it_looks_well(browser, width, dark)
                a_candidate_is_compared(browser, width, dark)
                every_state_is_legible(browser, width, dark)
                rulings_are_explained(browser)
    with Browser(820) as browser:
        it_looks_well(browser, 820, False)
    with Browser(1000, printed=True) as browser:
        browser.open()
        browser.fits("the page on paper")
        browser.shot("print", 2400)
    with Browser(1280, scripts=False) as browser:
        without_scripts(browser)
    print(f"page: {DONE['checks']} checks hold")


main()
