// What is wider than its place, and texts of the table that lie on top of each other.
const wrong = [];
const named = (element) => `${element.tagName}.${element.className} ${element.textContent.trim().slice(0, 40)}`;
const places = "td, th, caption, .cell, .line, .facts dd, .legend li, .policy pre, .panel:target, .panel:target *, .against *, .list dd";
for (const element of document.querySelectorAll(places)) {
  if (!element.checkVisibility() || element.closest(".unseen, .tip, thead")) continue;
  // A code that shows its beginning until it is pointed at.
  if (element.closest(".digest") || element.querySelector(".digest")) continue;
  if (element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0 && getComputedStyle(element).display !== "inline") {
    wrong.push(`too narrow: ${named(element)}`);
  }
  const box = element.getBoundingClientRect();
  if (box.left < -1 || box.right > innerWidth + 1) wrong.push(`off the screen: ${named(element)}`);
}
for (const cell of document.querySelectorAll("tbody td, tbody th")) {
  const parts = [...cell.querySelectorAll(".role, .crud, .line > .word, .line > .words, .mark, .ruling, .row-id, .label")];
  const seen = parts.filter((it) => it.checkVisibility());
  const boxes = seen.map((it) => [it, [...it.getClientRects()]]);
  for (const [at, [a, rects]] of boxes.entries()) {
    for (const [b, others] of boxes.slice(at + 1)) {
      const meets = (r, s) => r.left < s.right - 1 && s.left < r.right - 1 && r.top < s.bottom - 1 && s.top < r.bottom - 1;
      if (rects.some((r) => others.some((s) => meets(r, s)))) wrong.push(`one on the other: ${named(a)} and ${named(b)}`);
    }
  }
}
return wrong;
