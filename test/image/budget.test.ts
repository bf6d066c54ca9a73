import { expect, test } from "vitest";
import { createBudget } from "../../core/image/budget.ts";

test("shares never add up to more than the capacity, and are given first come first served", async () => {
  const budget = createBudget(10);
  const order: number[] = [];
  let held = 0;
  await Promise.all(
    [4, 6, 7, 1, 10, 3].map(async (cost, index) => {
      const release = await budget.take(cost);
      order.push(index);
      held += cost;
      expect(held).toBeLessThanOrEqual(10);
      await new Promise((resolve) => setTimeout(resolve, 1));
      held -= cost;
      release();
    }),
  );
  expect(order).toEqual([0, 1, 2, 3, 4, 5]);
  expect(held).toBe(0);
});

test("a cost above the capacity is admitted alone instead of never", async () => {
  const budget = createBudget(10);
  const releaseFirst = await budget.take(1);
  let admitted = false;
  const second = budget.take(1000).then((release) => {
    admitted = true;
    return release;
  });
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(admitted).toBe(false);
  releaseFirst();
  (await second)();
  expect(admitted).toBe(true);
});
