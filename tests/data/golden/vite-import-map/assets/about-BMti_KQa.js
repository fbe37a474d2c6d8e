import{t as e}from"./index-CsuT-nWb.js";var t={about:`_about_p2cya_1`};function n(n){n.classList.add(t.about),n.title=`${e([2,3])} pages`}export{n as about};
//# sourceMappingURL=about-BMti_KQa.js.map