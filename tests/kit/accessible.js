// What keeps people from reading or using the page, by the rules of WCAG 2.2 AA that a program can check.
() => {
  const wrong = [];
  const name = (each) => `<${each.tagName.toLowerCase()}${each.id ? ` id=${each.id}` : ""}> ${(each.textContent ?? "").trim().slice(0, 40)}`;
  const shown = (each) => each.checkVisibility({ visibilityProperty: true });
  const all = (selector) => [...document.querySelectorAll(selector)];
  const spoken = (each) => (each.getAttribute("aria-label") ?? "").trim() || each.textContent.trim() || each.getAttribute("title");

  if (document.documentElement.lang !== "en") wrong.push("the page has no language");
  if (!document.title.trim()) wrong.push("the page has no title");
  if (all("main").length !== 1) wrong.push(`${all("main").length} main`);
  if (all("h1").length !== 1) wrong.push(`${all("h1").length} h1`);
  let level = 1;
  for (const each of all("h1, h2, h3, h4").filter(shown)) {
    const next = Number(each.tagName[1]);
    if (next > level + 1) wrong.push(`a level of headings is left out before ${name(each)}`);
    if (!spoken(each)) wrong.push("a heading without text");
    level = next;
  }
  for (const each of all("input:not([type=hidden]), select, textarea"))
    if (!each.labels?.length && !each.getAttribute("aria-label")) wrong.push(`no label: ${name(each)}`);
  for (const each of all("a, button, summary")) if (!spoken(each)) wrong.push(`no name: ${name(each)} ${each.outerHTML.slice(0, 80)}`);
  for (const each of all("svg, img")) if (!each.getAttribute("aria-label") && !each.getAttribute("alt")) wrong.push("an image without words");
  for (const each of all("nav, section, form[role=search]"))
    if (!each.getAttribute("aria-label") && !each.getAttribute("aria-labelledby") && !each.classList.contains("card")) wrong.push(`no label: ${name(each)}`);
  for (const each of all("[aria-labelledby], [aria-describedby]"))
    for (const id of (each.getAttribute("aria-labelledby") ?? each.getAttribute("aria-describedby")).split(" "))
      if (!document.getElementById(id)) wrong.push(`${name(each)} is named by ${id}, which is not there`);
  for (const each of all("table")) {
    if (!each.caption?.textContent.trim()) wrong.push("a table without caption");
    for (const cell of each.querySelectorAll("th")) if (!cell.scope) wrong.push(`th without scope: ${name(cell)}`);
    for (const cell of each.querySelectorAll("tbody td")) if (!cell.dataset.label) wrong.push(`td without a label for narrow screens: ${name(cell)}`);
  }
  const ids = all("[id]").map((each) => each.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`the id ${id} is there twice`);
  for (const each of all("[tabindex]")) if (each.tabIndex > 0) wrong.push(`tabindex ${each.tabIndex}`);
  for (const each of all("pre")) if (each.scrollHeight > each.clientHeight + 1 && each.tabIndex !== 0) wrong.push("what scrolls cannot be reached by the keyboard");
  for (const each of all("[style], [onclick], script:not([src]), style")) wrong.push(`inline: ${each.outerHTML.slice(0, 80)}`);

  const channels = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (each) => {
    for (; each; each = each.parentElement) {
      const colour = channels(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const contrast = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const each = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !shown(each) || each.closest("option")) continue;
    const found = contrast(channels(getComputedStyle(each).color), ground(each));
    if (found < 4.5) wrong.push(`contrast ${found.toFixed(2)}: ${name(each)}`);
  }
  for (const each of all("rect, path").filter((e) => e.closest("svg"))) {
    const style = getComputedStyle(each);
    const colour = channels(each.tagName === "rect" ? style.fill : style.stroke);
    const found = contrast(colour, ground(each.closest("svg")));
    if (found < 3) wrong.push(`contrast ${found.toFixed(2)}: a shape of the class ${each.getAttribute("class")}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) wrong.push(`${document.documentElement.scrollWidth} wide on a screen of ${innerWidth}`);
  return wrong;
}
