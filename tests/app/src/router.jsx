import { createBrowserRouter, createHashRouter } from "react-router";
import { Layout } from "./parts/Layout.jsx";
import { Loading } from "./parts/Loading.jsx";
import { RouteFailure } from "./parts/RouteFailure.jsx";

const base = import.meta.env.BASE_URL;

const routes = [
  {
    path: "/",
    Component: Layout,
    HydrateFallback: Loading,
    ErrorBoundary: RouteFailure,
    children: [
      {
        // Failures of a page leave the header in place.
        ErrorBoundary: RouteFailure,
        children: [
          { index: true, lazy: () => import("./routes/Home.jsx") },
          { path: "product/:id", lazy: () => import("./routes/Product.jsx") },
          { path: "cart", lazy: () => import("./routes/Cart.jsx") },
          { path: "about", lazy: () => import("./routes/About.jsx") },
          { path: "status", lazy: () => import("./routes/Status.jsx") },
          { path: "*", lazy: () => import("./routes/NotFound.jsx") },
        ],
      },
    ],
  },
];

// With a relative base the app does not know which folder it was put in, so its own paths go behind a `#`.
export const router = base.startsWith(".")
  ? createHashRouter(routes)
  : createBrowserRouter(routes, { basename: base });
