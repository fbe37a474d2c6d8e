import { product } from "../product.js";
import styles from "./about.module.css";

/*! About: a licence that is kept. */
export function about(element) {
  element.classList.add(styles.about);
  element.title = `${product([2, 3])} pages`;
}
