/** Runs `follow` now and whenever what it read changes; returns how to stop. */
export function followed(follow: () => void): () => void {
  return $effect.root(() => {
    $effect(follow);
  });
}
