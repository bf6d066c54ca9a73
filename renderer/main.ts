import { mount } from "svelte";
import Frame from "./Frame.svelte";
import "./styles/index.css";

const target = document.getElementById("page");
if (target === null) throw new Error("The page has no element to draw in.");
mount(Frame, { target });
