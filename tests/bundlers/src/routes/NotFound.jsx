export function Component() {
  return <h1 data-not-found>There is no such page</h1>;
}
