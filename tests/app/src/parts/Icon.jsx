// A sprite is referred to by `#name`, which a data: URL cannot be.
import sprite from "./icons.svg?no-inline";

export function Icon({ name }) {
  return (
    <svg width="1.25em" height="1.25em" aria-hidden="true">
      <use href={`${sprite}#${name}`} />
    </svg>
  );
}
