Shop.routes.draw { root to: "shop#index" }
