/** What a layout must never do, found by measuring boxes in the page. */
import type { Page } from "playwright-core";

/**
 * Faults of the page as it stands, one line each: the document wider than the window, a control that lies outside of it
 * or of the boxes that clip it, buttons of one toolbar on top of each other, and text that is cut without an ellipsis or
 * without a way to read all of it. What scrolls is not cut, and tiles of a wall say their names by themselves.
 */
export function layoutFaults(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    /** Half pixels are rounding. */
    const slack = 1.5;
    const faults: string[] = [];
    const shortly = (element: Element): string =>
      `<${element.tagName.toLowerCase()}> ${(element.getAttribute("aria-label") ?? element.textContent).trim().slice(0, 40)}`;
    const root = document.documentElement;
    if (root.scrollWidth > innerWidth + slack) faults.push(`the document is ${root.scrollWidth} px wide`);
    if (root.scrollHeight > innerHeight + slack) faults.push(`the document is ${root.scrollHeight} px high`);

    const isSeen = (element: Element): boolean =>
      element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) &&
      element.closest("[inert], .visually-hidden") === null;
    const scrolls = (element: Element, way: "x" | "y"): boolean => {
      const style = getComputedStyle(element);
      const value = way === "x" ? style.overflowX : style.overflowY;
      return value === "auto" || value === "scroll";
    };

    const controls = [...document.querySelectorAll("button, input, select, textarea, a[href], [role=tab]")].filter(
      isSeen,
    );
    for (const control of controls) {
      const box = control.getBoundingClientRect();
      if (box.width === 0 || box.height === 0) continue;
      // The tiles and rows of what scrolls come and go; only its own edges count.
      let [left, top, right, bottom] = [0, 0, innerWidth, innerHeight];
      const free = { x: false, y: false };
      for (let above = control.parentElement; above !== null; above = above.parentElement) {
        const style = getComputedStyle(above);
        const edges = above.getBoundingClientRect();
        if (scrolls(above, "x")) free.x = true;
        else if (!free.x && style.overflowX !== "visible")
          [left, right] = [Math.max(left, edges.left), Math.min(right, edges.right)];
        if (scrolls(above, "y")) free.y = true;
        else if (!free.y && style.overflowY !== "visible")
          [top, bottom] = [Math.max(top, edges.top), Math.min(bottom, edges.bottom)];
      }
      if (free.x) [left, right] = [-Infinity, Infinity];
      if (free.y) [top, bottom] = [-Infinity, Infinity];
      if (box.left < left - slack || box.right > right + slack) {
        faults.push(`${shortly(control)} is outside: ${box.left} to ${box.right} of ${left} to ${right}`);
      }
      if (box.top < top - slack || box.bottom > bottom + slack) {
        faults.push(`${shortly(control)} is outside: ${box.top} to ${box.bottom} of ${top} to ${bottom} (down)`);
      }
    }

    for (const bar of document.querySelectorAll("[role=toolbar], nav, header, [role=group]")) {
      const boxes = [...bar.querySelectorAll("button")]
        .filter(isSeen)
        .map((button) => ({ button, box: button.getBoundingClientRect() }));
      for (const [at, one] of boxes.entries()) {
        for (const other of boxes.slice(at + 1)) {
          if (one.button.contains(other.button)) continue;
          const across = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
          const down = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
          if (across > 2 && down > 2) faults.push(`${shortly(one.button)} is on top of ${shortly(other.button)}`);
        }
      }
    }

    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const told = new Set<Element>();
    for (let node = walk.nextNode(); node !== null; node = walk.nextNode()) {
      const element = node.parentElement;
      if (element === null || told.has(element) || (node.textContent ?? "").trim() === "" || !isSeen(element)) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const text = range.getBoundingClientRect();
      for (let above: Element | null = element; above !== null; above = above.parentElement) {
        const style = getComputedStyle(above);
        if (scrolls(above, "x") || style.position === "fixed") break;
        if (style.overflowX === "visible") continue;
        const edges = above.getBoundingClientRect();
        if (text.right <= edges.right + slack && text.left >= edges.left - slack) continue;
        told.add(element);
        const isShown = style.textOverflow === "ellipsis" || style.getPropertyValue("-webkit-line-clamp") !== "none";
        // Pointing at it brings the title.
        element.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
        const isTold = element.closest("[title]:not([title=''])") !== null || element.closest("[role=option]") !== null;
        if (!isShown) faults.push(`${shortly(element)} is cut without an ellipsis`);
        else if (!isTold) faults.push(`${shortly(element)} is cut and has no title`);
        break;
      }
    }
    return [...new Set(faults)];
  });
}
