/**
 * One Tab stop for a list of rows (`data-row`), however many there are: Up, Down, Home and End go from row to row, Right and
 * Left to what a row has beside its name, and open and fold what is below it. For `{@attach roving}`.
 */
export function roving(list: HTMLElement): () => void {
  /** The button that Tab leads to. */
  let stop: HTMLElement | null = null;
  let pointed = false;
  /** Whether the focus came by key: arrows after a click are the view's. */
  let byKey = false;

  const rows = (): HTMLElement[] => [...list.querySelectorAll<HTMLElement>("[data-row]")];
  const buttonsOf = (row: Element | null | undefined): HTMLElement[] => [
    ...(row?.querySelectorAll<HTMLElement>("button") ?? []),
  ];
  /** The button with the row's name. */
  const mainOf = (row: Element | null | undefined): HTMLElement | null => row?.querySelector("[data-main]") ?? null;

  function mark(): void {
    if (stop === null || !list.contains(stop)) {
      const mains = rows().map(mainOf);
      stop = mains.find((main) => main?.ariaPressed === "true") ?? mains[0] ?? null;
    }
    for (const button of rows().flatMap(buttonsOf)) button.tabIndex = button === stop ? 0 : -1;
  }

  function go(to: HTMLElement | null | undefined): void {
    if (to == null) return;
    byKey = true;
    to.focus();
  }

  function sideways(row: HTMLElement, by: 1 | -1): void {
    const main = mainOf(row);
    const fold = row.querySelector<HTMLElement>("[aria-expanded][data-fold]");
    const isMain = document.activeElement === main;
    if (isMain && fold !== null && fold.ariaExpanded === String(by < 0)) return fold.click();
    if (by < 0) return go(main);
    const others = buttonsOf(row).filter((button) => button !== main && button !== fold);
    if (isMain) go(others[0]);
  }

  function press(event: KeyboardEvent): void {
    const row = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-row]") : null;
    if (row === null || !byKey || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = rows();
    const at = all.indexOf(row);
    const steps: Readonly<Record<string, () => void>> = {
      ArrowDown: () => go(mainOf(all[at + 1])),
      ArrowUp: () => go(mainOf(all[at - 1])),
      Home: () => go(mainOf(all[0])),
      End: () => go(mainOf(all.at(-1))),
      ArrowRight: () => sideways(row, 1),
      ArrowLeft: () => sideways(row, -1),
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    step();
  }

  function focused({ target }: FocusEvent): void {
    byKey = !pointed;
    if (!(target instanceof HTMLElement) || target.closest("[data-row]") === null) return;
    stop = target;
    mark();
  }

  const down = (): void => void (pointed = true);
  const up = (): void => void (pointed = false);
  mark();
  const observer = new MutationObserver(mark);
  observer.observe(list, { childList: true, subtree: true });
  list.addEventListener("keydown", press);
  list.addEventListener("focusin", focused);
  list.addEventListener("pointerdown", down);
  window.addEventListener("pointerup", up);
  return () => {
    observer.disconnect();
    list.removeEventListener("keydown", press);
    list.removeEventListener("focusin", focused);
    list.removeEventListener("pointerdown", down);
    window.removeEventListener("pointerup", up);
  };
}
