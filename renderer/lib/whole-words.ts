/**
 * Text that is cut says all of itself when it is pointed at: a title comes and goes with the cut. For the `.truncate`
 * elements of the whole page, so that no component measures itself. What has a title of its own keeps it.
 */
export function tellWhole({ target }: Pick<Event, "target">): void {
  const text = target instanceof Element ? target.closest(".truncate") : null;
  if (!(text instanceof HTMLElement)) return;
  const isOurs = text.dataset["whole"] !== undefined;
  if (!isOurs && text.closest("[title]:not([title=''])") !== null) return;
  if (text.scrollWidth > text.clientWidth) {
    text.dataset["whole"] = "";
    text.title = text.textContent.trim();
  } else if (isOurs) {
    delete text.dataset["whole"];
    text.removeAttribute("title");
  }
}
