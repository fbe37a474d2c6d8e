//! Real applications, built by rimward, run in a real browser.

use crate::chromium::Chromium;

#[test]
fn debug_client() {
    let mut browser = Chromium::start();
    browser.open("data:text/html,<title>x</title><script>console.error('boom');</script>");
    assert_eq!(browser.evaluate("document.title"), "x");
    let p = browser.take_problems();
    assert_eq!(p.len(), 1, "{p:?}");
}
