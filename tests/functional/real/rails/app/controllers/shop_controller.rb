class ShopController < ActionController::Base
  def index
    render plain: "open"
  end
end
