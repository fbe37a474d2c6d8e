import{a as o}from"/chunks/chunk-SPXELP7M.js";var r={about:"o"};function p(t){t.classList.add(r.about),t.title=`${o([2,3])} pages`}export{p as about};
/*! About: a licence that is kept. */
//# sourceMappingURL=/chunks/about-EZFJVUAS.js.map
