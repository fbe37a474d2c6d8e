const files = import.meta.glob("./images/*.{svg,png}", { eager: true, query: "?url", import: "default" });

/** The URL of a product's picture, by the name that the API uses. */
export function pictureOf({ image }) {
  return files[`./images/${image}.svg`] ?? files[`./images/${image}.png`] ?? files["./images/buoy.png"];
}
