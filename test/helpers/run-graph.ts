import { createGraph } from "../../core/graph/graph.ts";
import type { Value } from "../../core/graph/value.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import { floatOutput, floats } from "../../core/runtime/runtime.ts";

/** What the values are on the CPU, as plain numbers, for inputs given as plain numbers with their shapes. */
export async function evaluate<Name extends string>(
  outputs: Record<Name, Value>,
  inputs: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: ArrayLike<number> }>> = {},
): Promise<Record<Name, number[]>> {
  const program = await createOrtRuntime("cpu").load(createGraph("test", outputs));
  const feeds = Object.entries(inputs).map(([name, { shape, data }]) => [name, floats(Float32Array.from(data), shape)]);
  const results = await program.run(Object.fromEntries(feeds) as Record<string, ReturnType<typeof floats>>);
  await program.release();
  return Object.fromEntries(Object.keys(outputs).map((name) => [name, [...floatOutput(results, name).data]])) as Record<
    Name,
    number[]
  >;
}
