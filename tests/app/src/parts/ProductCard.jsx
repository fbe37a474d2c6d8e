import { Link } from "react-router";
import { useCart } from "../cart.js";
import { pictureOf } from "../pictures.js";
import { usePrice, useText } from "../text.js";
import styles from "./ProductCard.module.css";

export function ProductCard({ product }) {
  const t = useText();
  const price = usePrice();
  const add = useCart((state) => state.add);
  return (
    <article className={styles.card} data-product={product.id}>
      <Link to={`/product/${product.id}`} className={styles.link}>
        <img src={pictureOf(product)} alt="" width="240" height="240" />
        <h2>{product.name}</h2>
      </Link>
      <div className={styles.foot}>
        <strong>{price(product.cents)}</strong>
        <button type="button" disabled={product.stock === 0} onClick={() => add(product.id)}>
          {product.stock === 0 ? t("product.gone", "Sold out") : t("product.add", "Add to cart")}
        </button>
      </div>
    </article>
  );
}
