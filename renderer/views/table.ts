import Boxes from "@lucide/svelte/icons/boxes";
import LayoutGrid from "@lucide/svelte/icons/layout-grid";
import MapIcon from "@lucide/svelte/icons/map";
import ShieldCheck from "@lucide/svelte/icons/shield-check";
import ListChecks from "@lucide/svelte/icons/list-checks";
import GraduationCap from "@lucide/svelte/icons/graduation-cap";
import PackageOpen from "@lucide/svelte/icons/package-open";
import type { Component } from "svelte";
import type { ViewName } from "../lib/route.ts";
import ClustersView from "./clusters/ClustersView.svelte";
import ChecksView from "./checks/ChecksView.svelte";
import ExportView from "./export/ExportView.svelte";
import GridView from "./grid/GridView.svelte";
import MapView from "./map/MapView.svelte";
import ReviewView from "./review/ReviewView.svelte";
import TrainView from "./train/TrainView.svelte";

/** A view of the library: a tab in the top bar, a command, an address. */
export interface View {
  /** Lower-case letters: stands in addresses. */
  readonly id: ViewName;
  readonly title: string;
  readonly icon: Component<{ size?: number | string }>;
  /** Keys that open it, as lib/keys.ts writes them. */
  readonly keys: readonly string[];
  readonly component: Component;
  /** Whether the details of the selection belong beside it. */
  readonly inspector: boolean;
}

/** The views in the order of their tabs. A new view is one more line. */
export const views: readonly View[] = [
  { id: "grid", title: "Grid", icon: LayoutGrid, keys: ["Shift+G"], component: GridView, inspector: true },
  { id: "clusters", title: "Clusters", icon: Boxes, keys: ["Shift+C"], component: ClustersView, inspector: false },
  { id: "review", title: "Review", icon: ListChecks, keys: ["Shift+R"], component: ReviewView, inspector: false },
  { id: "map", title: "Map", icon: MapIcon, keys: ["Shift+P"], component: MapView, inspector: true },
  { id: "checks", title: "Checks", icon: ShieldCheck, keys: ["Shift+K"], component: ChecksView, inspector: false },
  { id: "train", title: "Train", icon: GraduationCap, keys: ["Shift+T"], component: TrainView, inspector: false },
  { id: "export", title: "Export", icon: PackageOpen, keys: ["Shift+E"], component: ExportView, inspector: false },
];
