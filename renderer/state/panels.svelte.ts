/** What is open above the page. Another dialog is one more name here and one more line in Frame.svelte. */
export type PanelName = "palette" | "cheats" | "history" | "doctor" | "folder" | "model";

/** Below these widths of the window, in pixels, the sides lie over the pictures and open on request. */
const narrowBelow = 1080;
const crampedBelow = 760;

export class Panels {
  open = $state<PanelName | null>(null);
  /** Whether the field to type a label in is open. */
  labelling = $state(false);
  /** Width of the window in pixels. */
  width = $state(1440);
  readonly narrow = $derived(this.width < narrowBelow);
  readonly cramped = $derived(this.width < crampedBelow);
  /** The sides, where they lie over the pictures. */
  railOver = $state(false);
  inspectorOver = $state(false);

  show(name: PanelName): void {
    this.labelling = false;
    this.open = name;
  }

  toggle(name: PanelName): void {
    if (this.open === name) this.open = null;
    else this.show(name);
  }

  close(): void {
    this.open = null;
  }
}
