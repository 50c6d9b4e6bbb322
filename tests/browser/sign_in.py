"""The sign-in page in Chromium, without scripts: what a person sees, by mouse, by keyboard and by the rules of accessibility."""

import os
import unittest
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from ground import ADMINISTRATOR, CALLBACK, ORIGIN, OTHER, PASSWORD, serve_callback

QUESTION = {"response_type": "code", "client_id": "okta", "redirect_uri": CALLBACK, "state": "of the client"}
SIZES = [(1280, 800), (390, 844)]
SCHEMES = ["light", "dark"]


class SignIn(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.callback = serve_callback()
        cls.playwright = sync_playwright().start()
        cls.browser = cls.playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.playwright.stop()
        cls.callback.shutdown()

    def page(self, width=1280, height=800, scheme="light", scripts=False, question=QUESTION):
        """A browser of its own that shows the page. Scripts are for axe alone: the page has none and allows none."""
        context = self.browser.new_context(
            ignore_https_errors=True,
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=scripts,
        )
        self.addCleanup(context.close)
        page = context.new_page()
        page.set_default_timeout(30_000)
        self.complaints = []
        page.on("console", lambda message: self.complaints.append(message.text) if "favicon" not in message.text else None)
        page.goto(f"{ORIGIN}/oauth2/authorize?{urlencode(question)}")
        return page

    def fill(self, page, name, password):
        page.get_by_label("User name or email address").fill(name)
        page.get_by_label("Password").fill(password)

    def returned(self, page):
        page.wait_for_url(f"{CALLBACK}?**")
        self.assertEqual(page.get_by_role("heading").inner_text(), "Back at the client")
        query = parse_qs(urlsplit(page.url).query)
        self.assertEqual((query["state"], query["iss"]), (["of the client"], [ORIGIN]))
        return query

    def refused(self, page, name=None):
        # One name is tried a few times and no more.
        self.fill(page, name or f"nobody-{uuid4()}", PASSWORD)
        page.get_by_role("button", name="Sign in and allow").click()
        page.get_by_role("alert").wait_for()

    def test_an_administrator_signs_in_and_goes_back_with_a_code(self):
        page = self.page()
        self.assertIn("okta", page.get_by_role("heading", level=1).inner_text())
        self.assertIn("create, change and remove users", page.get_by_role("list").inner_text())
        self.fill(page, ADMINISTRATOR, PASSWORD)
        page.get_by_role("button", name="Sign in and allow").click()
        self.assertTrue(self.returned(page)["code"][0])
        self.assertEqual(self.complaints, [])

    def test_a_client_may_send_the_person_on_to_another_host(self):
        for answer in ["Sign in and allow", "Do not allow"]:
            page = self.page(question={**QUESTION, "state": "onward"})
            self.fill(page, ADMINISTRATOR, PASSWORD)
            page.get_by_role("button", name=answer).click()
            page.wait_for_url("http://localhost:*/at-last", wait_until="load")
            self.assertEqual(self.complaints, [])

    def test_by_keyboard_alone(self):
        page = self.page()
        page.keyboard.press("Tab")
        page.keyboard.type(ADMINISTRATOR)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        self.assertIn("code", self.returned(page))

    def test_who_does_not_consent_goes_back_without_a_password(self):
        page = self.page()
        page.get_by_role("button", name="Do not allow").click()
        self.assertEqual(self.returned(page)["error"], ["access_denied"])

    def test_a_refusal_is_told_and_can_be_mended(self):
        page = self.page()
        self.refused(page, OTHER)
        self.assertTrue(page.title().startswith("Error: "))
        self.assertIn("not among the administrators", page.get_by_role("alert").inner_text())
        name = page.get_by_label("User name or email address")
        self.assertEqual((name.input_value(), page.get_by_label("Password").input_value()), ("", ""))
        self.assertEqual(name.get_attribute("aria-describedby"), page.get_by_role("alert").get_attribute("id"))
        page.get_by_role("link", name="Go to the fields").click()
        page.keyboard.type(ADMINISTRATOR)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        self.assertIn("code", self.returned(page))

    def test_two_windows_of_one_browser_both_work(self):
        first = self.page()
        second = first.context.new_page()
        second.goto(first.url)
        for page in [first, second]:
            self.fill(page, ADMINISTRATOR, PASSWORD)
            page.get_by_role("button", name="Sign in and allow").click()
            self.assertIn("code", self.returned(page))

    def test_another_site_can_neither_frame_nor_send_it(self):
        page = self.page()
        form = page.locator("input[name=form]").input_value()
        # The client's own page is another site, by its host.
        page.goto(CALLBACK)
        page.set_content(
            f'<form method="post" action="{ORIGIN}/oauth2/authorize"><input name="form" value="{form}">'
            f'<input name="answer" value="deny"><button>Send</button></form>'
            f'<iframe src="{ORIGIN}/oauth2/authorize?{urlencode(QUESTION)}"></iframe>'
        )
        page.wait_for_timeout(1000)
        self.assertNotIn("Password", page.frames[-1].content())
        page.get_by_role("button", name="Send").click()
        page.get_by_role("heading", name="This request cannot be carried out").wait_for()

    def test_it_is_accessible_and_fits_in_every_state(self):
        axe = Axe()
        states = {
            "page": lambda page: None,
            "refused": self.refused,
            "failure": lambda page: page.goto(f"{ORIGIN}/oauth2/authorize?client_id=nobody"),
        }
        for width, height in SIZES:
            for scheme in SCHEMES:
                for name, reach in states.items():
                    with self.subTest(width=width, scheme=scheme, state=name):
                        page = self.page(width, height, scheme, scripts=True)
                        reach(page)
                        self.picture(page, f"{name}-{width}-{scheme}")
                        results = axe.run(page)
                        self.assertEqual(results.violations_count, 0, results.generate_report())
                        overflow = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
                        self.assertFalse(page.evaluate(overflow))
                        # A finger's width (WCAG 2.2, 2.5.8).
                        for control in page.locator("button, input:not([type=hidden])").all():
                            self.assertGreaterEqual(control.bounding_box()["height"], 44)
                        if name == "refused":
                            self.assertEqual(page.evaluate("document.activeElement.id"), "wrong")

    def picture(self, page, name):
        folder = os.environ.get("PICTURES")
        if folder:
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


if __name__ == "__main__":
    unittest.main()
