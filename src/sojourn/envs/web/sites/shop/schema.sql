CREATE TABLE shop_category (
    id INTEGER PRIMARY KEY,
    parent_id INTEGER REFERENCES shop_category (id),
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    position INTEGER NOT NULL
);
CREATE TABLE shop_product (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sku TEXT NOT NULL UNIQUE,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    brand TEXT NOT NULL,
    category_id INTEGER NOT NULL REFERENCES shop_category (id),
    price_cents INTEGER NOT NULL CHECK (price_cents >= 0),
    stock INTEGER NOT NULL CHECK (stock >= 0),
    description TEXT NOT NULL,
    is_enabled INTEGER NOT NULL DEFAULT 1,
    created_at TEXT NOT NULL
);
CREATE INDEX shop_product_category ON shop_product (category_id);
CREATE TABLE shop_attribute (
    product_id INTEGER NOT NULL REFERENCES shop_product (id),
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (product_id, name)
) WITHOUT ROWID;
CREATE TABLE shop_customer (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email TEXT NOT NULL UNIQUE,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    password TEXT NOT NULL,
    group_name TEXT NOT NULL,
    has_newsletter INTEGER NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE shop_address (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    customer_id INTEGER NOT NULL REFERENCES shop_customer (id),
    name TEXT NOT NULL,
    street TEXT NOT NULL,
    city TEXT NOT NULL,
    state TEXT NOT NULL,
    postcode TEXT NOT NULL,
    phone TEXT NOT NULL,
    is_default INTEGER NOT NULL
);
CREATE INDEX shop_address_customer ON shop_address (customer_id);
CREATE TABLE shop_wish (
    customer_id INTEGER NOT NULL REFERENCES shop_customer (id),
    product_id INTEGER NOT NULL REFERENCES shop_product (id),
    added_at TEXT NOT NULL,
    PRIMARY KEY (customer_id, product_id)
) WITHOUT ROWID;
CREATE TABLE shop_review (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    product_id INTEGER NOT NULL REFERENCES shop_product (id),
    customer_id INTEGER REFERENCES shop_customer (id),
    nickname TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    stars INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5),
    status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'rejected')),
    created_at TEXT NOT NULL
);
CREATE INDEX shop_review_product ON shop_review (product_id, status, stars);
CREATE INDEX shop_review_status ON shop_review (status);
CREATE INDEX shop_review_created ON shop_review (created_at);
CREATE TABLE shop_coupon (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('percent', 'amount')),
    value INTEGER NOT NULL,
    minimum_cents INTEGER NOT NULL,
    is_active INTEGER NOT NULL,
    expires_on TEXT NOT NULL
);
CREATE TABLE shop_shipping_method (
    code TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    price_cents INTEGER NOT NULL,
    free_from_cents INTEGER
) WITHOUT ROWID;
CREATE TABLE shop_cart (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    customer_id INTEGER UNIQUE REFERENCES shop_customer (id),
    session_id INTEGER UNIQUE,
    coupon_code TEXT NOT NULL DEFAULT ''
);
CREATE TABLE shop_cart_item (
    cart_id INTEGER NOT NULL REFERENCES shop_cart (id) ON DELETE CASCADE,
    product_id INTEGER NOT NULL REFERENCES shop_product (id),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (cart_id, product_id)
) WITHOUT ROWID;
CREATE TABLE shop_order (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    number TEXT NOT NULL UNIQUE,
    customer_id INTEGER NOT NULL REFERENCES shop_customer (id),
    placed_at TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'processing', 'complete', 'canceled', 'on hold')),
    name TEXT NOT NULL,
    street TEXT NOT NULL,
    city TEXT NOT NULL,
    state TEXT NOT NULL,
    postcode TEXT NOT NULL,
    phone TEXT NOT NULL,
    shipping_method TEXT NOT NULL REFERENCES shop_shipping_method (code),
    payment_method TEXT NOT NULL,
    coupon_code TEXT NOT NULL,
    subtotal_cents INTEGER NOT NULL,
    discount_cents INTEGER NOT NULL,
    shipping_cents INTEGER NOT NULL,
    total_cents INTEGER NOT NULL
);
CREATE INDEX shop_order_customer ON shop_order (customer_id);
CREATE INDEX shop_order_placed ON shop_order (placed_at);
CREATE TABLE shop_order_line (
    order_id INTEGER NOT NULL REFERENCES shop_order (id),
    product_id INTEGER NOT NULL REFERENCES shop_product (id),
    price_cents INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    PRIMARY KEY (order_id, product_id)
) WITHOUT ROWID;
CREATE INDEX shop_order_line_product ON shop_order_line (product_id, quantity);
CREATE TABLE shop_order_note (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id INTEGER NOT NULL REFERENCES shop_order (id),
    text TEXT NOT NULL,
    status TEXT NOT NULL,
    is_visible INTEGER NOT NULL,
    created_at TEXT NOT NULL
);
CREATE INDEX shop_order_note_order ON shop_order_note (order_id);
CREATE TABLE shop_invoice (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id INTEGER NOT NULL UNIQUE REFERENCES shop_order (id),
    total_cents INTEGER NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE shop_shipment (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id INTEGER NOT NULL UNIQUE REFERENCES shop_order (id),
    carrier TEXT NOT NULL,
    tracking_number TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE shop_message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    phone TEXT NOT NULL,
    text TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE shop_search_term (
    id INTEGER PRIMARY KEY,
    term TEXT NOT NULL UNIQUE,
    num_results INTEGER NOT NULL,
    uses INTEGER NOT NULL
);
CREATE TABLE shop_page (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    slug TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    content TEXT NOT NULL,
    is_enabled INTEGER NOT NULL,
    updated_at TEXT NOT NULL
);
