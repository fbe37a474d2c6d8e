import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect } from "react";
import { Link, useParams } from "react-router";
import { product as loadProduct, watchStock } from "../api.js";
import { useCart } from "../cart.js";
import { useDates } from "../dates.js";
import { Failure } from "../parts/Failure.jsx";
import { Loading } from "../parts/Loading.jsx";
import { pictureOf } from "../pictures.js";
import { usePrice, useText } from "../text.js";
import styles from "./Product.module.css";

// The chart's library is larger than the rest of the shop: it comes after the page.
const PriceHistory = lazy(() => import("../product/PriceHistory.jsx"));

export function Component() {
  const { id } = useParams();
  const key = ["product", id];
  const { data, error, isPending, refetch } = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => loadProduct(id, { signal }),
  });
  useLiveStock(id);
  if (isPending) return <Loading />;
  if (error) return error.status === 404 ? <Unknown /> : <Failure error={error} onRetry={refetch} />;
  return <Details product={data} />;
}
Component.displayName = "Product";

/** Keeps the stock of the shown product as the API last said. */
function useLiveStock(id) {
  const queries = useQueryClient();
  useEffect(
    () =>
      watchStock((change) => {
        if (change.id !== id) return;
        queries.setQueryData(["product", id], (known) => known && { ...known, stock: change.stock });
      }),
    [id, queries],
  );
}

function Details({ product }) {
  const t = useText();
  const price = usePrice();
  const dates = useDates();
  const add = useCart((state) => state.add);
  return (
    <article className={styles.product} data-product={product.id}>
      <title>{`${product.name} – Harbour Goods`}</title>
      <img className={styles.picture} src={pictureOf(product)} alt="" width="320" height="320" />
      <div>
        <h1>{product.name}</h1>
        <p className={styles.price}>{price(product.cents)}</p>
        <p>{product.description}</p>
        <p>
          {t("product.stock", "In stock:")} <span data-stock={product.stock}>{product.stock}</span>
        </p>
        <button type="button" disabled={product.stock === 0} onClick={() => add(product.id)}>
          {product.stock === 0 ? t("product.gone", "Sold out") : t("product.add", "Add to cart")}
        </button>
      </div>
      <section className={styles.wide}>
        <h2>{t("product.history", "What it has cost")}</h2>
        <Suspense fallback={<Loading />}>
          <PriceHistory history={product.history} />
        </Suspense>
      </section>
      <section className={styles.wide}>
        <h2>{t("product.reviews", "What others say")}</h2>
        {product.reviews.map((review) => (
          <blockquote key={review.date} className={styles.review}>
            <p>{review.text}</p>
            <footer>
              {review.author}, <time dateTime={review.date}>{dates.ago(review.date)}</time>
            </footer>
          </blockquote>
        ))}
      </section>
    </article>
  );
}

function Unknown() {
  const t = useText();
  return (
    <section>
      <h1>{t("product.unknown", "We do not sell that")}</h1>
      <Link to="/">{t("back", "Back to the shop")}</Link>
    </section>
  );
}
