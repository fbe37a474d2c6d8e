import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { placeOrder, products } from "../api.js";
import { linesOf, useCart } from "../cart.js";
import countriesUrl from "../data/countries.json?url";
import { useDates } from "../dates.js";
import { Failure } from "../parts/Failure.jsx";
import { Loading } from "../parts/Loading.jsx";
import { pictureOf } from "../pictures.js";
import { usePreferences } from "../preferences.js";
import { loadRates, rateFor } from "../shipping.js";
import { usePrice, useText } from "../text.js";
import styles from "./Cart.module.css";

export function Component() {
  const t = useText();
  const { counts, empty } = useCart();
  const list = useQuery({ queryKey: ["products"], queryFn: products });
  const order = useMutation({ mutationFn: placeOrder, onSuccess: empty });
  if (order.isSuccess) return <Thanks order={order.data} />;
  if (Object.keys(counts).length === 0) return <Empty />;
  if (list.isPending) return <Loading />;
  if (list.isError) return <Failure error={list.error} onRetry={() => list.refetch()} />;
  const lines = linesOf(counts, list.data);
  return (
    <section className={styles.cart}>
      <h1>{t("cart.title", "Your cart")}</h1>
      <Lines lines={lines} />
      <Shipping lines={lines} />
      {order.isError && <Failure error={order.error} />}
      <button
        type="button"
        disabled={order.isPending}
        onClick={() => order.mutate(lines.map(({ product, count }) => ({ id: product.id, count })))}
      >
        {t("cart.order", "Place the order")}
      </button>
    </section>
  );
}
Component.displayName = "Cart";

function Lines({ lines }) {
  const price = usePrice();
  const setCount = useCart((state) => state.setCount);
  return (
    <table className={styles.lines}>
      <tbody>
        {lines.map(({ product, count }) => (
          <tr key={product.id} data-line={product.id}>
            <td><img src={pictureOf(product)} alt="" width="56" height="56" /></td>
            <td><Link to={`/product/${product.id}`}>{product.name}</Link></td>
            <td>
              <input
                type="number"
                min="0"
                value={count}
                aria-label={product.name}
                onChange={(event) => setCount(product.id, Number(event.target.value))}
              />
            </td>
            <td className={styles.money}>{price(product.cents * count)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Where to, what it costs, and when it comes. */
function Shipping({ lines }) {
  const t = useText();
  const price = usePrice();
  const dates = useDates();
  const language = usePreferences((state) => state.language);
  const [country, setCountry] = useState("DK");
  const countries = useQuery({
    queryKey: ["countries"],
    queryFn: async ({ signal }) => (await fetch(countriesUrl, { signal })).json(),
    staleTime: Infinity,
  });
  const rates = useQuery({ queryKey: ["rates"], queryFn: loadRates, staleTime: Infinity });
  const kg = lines.reduce((sum, { product, count }) => sum + product.kg * count, 0);
  const goods = lines.reduce((sum, { product, count }) => sum + product.cents * count, 0);
  const rate = rates.data && rateFor(rates.data, country, kg);
  return (
    <div className={styles.shipping}>
      <label>
        {t("cart.to", "Send it to")}{" "}
        <select value={country} onChange={(event) => setCountry(event.target.value)}>
          {countries.data?.map(({ code, name, names }) => (
            <option key={code} value={code}>{names[language] ?? name}</option>
          ))}
        </select>
      </label>
      {rate ? (
        <p>
          {t("cart.shipping", "Shipping:")} {price(rate.cents)}, {t("cart.arrives", "arrives on")} {dates.arrival(rate.days)}
        </p>
      ) : (
        <p>{rates.isSuccess ? t("cart.heavy", "That is too heavy for the post. Call us.") : "…"}</p>
      )}
      <p className={styles.total}>
        {t("cart.total", "Total:")} <strong data-total={goods + (rate?.cents ?? 0)}>{price(goods + (rate?.cents ?? 0))}</strong>
      </p>
    </div>
  );
}

function Empty() {
  const t = useText();
  return (
    <section className={styles.empty}>
      <h1>{t("cart.empty", "Your cart is empty")}</h1>
      <Link to="/">{t("back", "Back to the shop")}</Link>
    </section>
  );
}

function Thanks({ order }) {
  const t = useText();
  return (
    <section className={styles.empty} data-order={order.id}>
      <h1>{t("cart.thanks", "Thank you")}</h1>
      <p>{t("cart.number", "Your order's number is")} {order.id}</p>
      <Link to="/">{t("back", "Back to the shop")}</Link>
    </section>
  );
}
