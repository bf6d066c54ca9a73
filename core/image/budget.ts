/** A shared amount of something that work is admitted against. */
export interface Budget {
  /**
   * Waits, first come first served, until `cost` fits beside what others hold. The function it gives returns that share
   * and has to be called once, whatever happens.
   */
  take(cost: number): Promise<() => void>;
}

/** A budget of `capacity` units. A cost above the whole capacity is admitted alone. */
export function createBudget(capacity: number): Budget {
  let free = capacity;
  const waiting: { share: number; start: () => void }[] = [];
  const admit = (): void => {
    for (let first = waiting[0]; first !== undefined && first.share <= free; first = waiting[0]) {
      waiting.shift();
      free -= first.share;
      first.start();
    }
  };
  return {
    take(cost) {
      const share = Math.min(cost, capacity);
      return new Promise((resolve) => {
        const release = (): void => {
          free += share;
          admit();
        };
        waiting.push({ share, start: () => resolve(release) });
        admit();
      });
    },
  };
}
